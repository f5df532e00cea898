/*
 * The load generator: one thread, epoll, N connections with M requests in flight on each.
 *
 *   load MODE PORT CONNECTIONS IN_FLIGHT WARM_UP SECONDS PIDS EXCHANGES OPENING
 *
 * EXCHANGES is a file: the number of exchanges, the lengths of each request and reply (all 32 bits, little-endian), then all
 * requests, then all replies. Every connection sends them in turn, over and over. OPENING is a file with what opens a WebSocket
 * on each connection first ("-": nothing does). PIDS are the processes of the server, with commas between: their CPU clocks are
 * read at the very moments at which counting begins and ends.
 *
 *   exact   a reply is exactly the bytes of the file
 *   http    a reply is a response with status 200 and Content-Length, its content the bytes of the file
 *   frames  a reply is one compressed text frame of any content; the first one is printed, for somebody who can inflate
 *   fan     the first connection sends, and every connection gets each reply
 *   open    opens CONNECTIONS WebSockets at a time, IN_FLIGHT at the most, and leaves them open; there are no exchanges
 *
 * Prints one line of JSON. Any reply that is not what it has to be ends it with exit code 1 and a line on standard error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PIDS = 64, MAX_HEAD = 8192, READ = 1 << 18, MAX_SAMPLE = 16384, PATIENCE_MS = 10000 };

typedef enum { EXACT, HTTP, FRAMES, FAN, OPEN } Mode;

typedef struct {
    int fd;
    int waits_for_room;                /* the kernel took less than there was */
    uint64_t sent, received;           /* whole requests, whole replies */
    size_t sent_part, received_part;   /* bytes of the next one */
    size_t head_size;                  /* http, frames: bytes of a head that is not complete */
    uint64_t content_left;             /* http, frames: bytes that still belong to this reply */
    int is_in_content;
    unsigned char head[MAX_HEAD];
} Connection;

static Mode mode;
static uint32_t exchanges;
static size_t *request_at, *reply_at;  /* where each begins; one more entry for the end */
static unsigned char *requests, *replies;
static unsigned char *opening;
static size_t opening_size;
static Connection *connections;
static int connection_count, in_flight, epoll;
static uint64_t total;                 /* replies on all connections */
static int pids[MAX_PIDS], pid_count;
static unsigned char sample[MAX_SAMPLE];
static size_t sample_size;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static double clock_of(clockid_t id) {
    struct timespec at;
    if (clock_gettime(id, &at)) fail("no clock %d: %s", (int)id, strerror(errno));
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

/* The CPU time of all threads of the server's processes: Linux names a process's clock by the complement of its id. */
static double server_cpu(void) {
    double sum = 0;
    for (int i = 0; i < pid_count; i++) sum += clock_of((clockid_t)(((unsigned)~pids[i] << 3) | 2));
    return sum;
}

/* ------------------------------------------------------------------------------------------------ what there is to say */

static unsigned char *whole_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s: %s", path, strerror(errno));
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, file) != *size) fail("%s cannot be read", path);
    fclose(file);
    return data;
}

static void load_exchanges(const char *path) {
    size_t size;
    unsigned char *data = whole_file(path, &size);
    uint32_t *numbers = (uint32_t *)data;
    exchanges = numbers[0];
    request_at = calloc(exchanges + 1, sizeof *request_at);
    reply_at = calloc(exchanges + 1, sizeof *reply_at);
    for (uint32_t i = 0; i < exchanges; i++) {
        request_at[i + 1] = request_at[i] + numbers[1 + 2 * i];
        reply_at[i + 1] = reply_at[i] + numbers[2 + 2 * i];
    }
    requests = data + 4 + 8 * (size_t)exchanges;
    replies = requests + request_at[exchanges];
    if (replies + reply_at[exchanges] != data + size) fail("%s has another length than it says", path);
}

/* ---------------------------------------------------------------------------------------------------------- connections */

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct linger reset = {1, 0}; /* no port of ours has to wait after us */
    if (fd < 0) fail("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect: %s", strerror(errno));
    return fd;
}

static void say_opening(int fd) {
    for (size_t at = 0; at < opening_size;) {
        ssize_t n = write(fd, opening + at, opening_size - at);
        if (n <= 0) fail("the opening handshake cannot be sent: %s", strerror(errno));
        at += (size_t)n;
    }
}

static void hear_opening(int fd) {
    char head[MAX_HEAD];
    size_t size = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4)) {
        ssize_t n = size < sizeof head ? read(fd, head + size, sizeof head - size) : 0;
        if (n <= 0) fail("no answer to the opening handshake: %.*s", (int)size, head);
        size += (size_t)n;
    }
    if (memcmp(head, "HTTP/1.1 101", 12)) fail("the opening handshake is refused: %.*s", (int)size, head);
    if (mode == FRAMES && !memmem(head, size, "permessage-deflate", 18)) fail("no compression: %.*s", (int)size, head);
}

static void watch(Connection *conn, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(epoll, operation, conn->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
}

/* -------------------------------------------------------------------------------------------------------------- sending */

static void advance(uint64_t *whole, size_t *part, const size_t *at, size_t n) {
    n += *part;
    for (uint32_t i = (uint32_t)(*whole % exchanges); n >= at[i + 1] - at[i]; i = (uint32_t)(*whole % exchanges)) {
        n -= at[i + 1] - at[i];
        ++*whole;
    }
    *part = n;
}

/* Send requests until `until` of them are sent; as many with one call as lie side by side. */
static void send_until(Connection *conn, uint64_t until) {
    while (conn->sent < until) {
        uint32_t first = (uint32_t)(conn->sent % exchanges);
        uint64_t last = first + (until - conn->sent);
        size_t begin = request_at[first] + conn->sent_part, end = request_at[last < exchanges ? last : exchanges];
        ssize_t n = write(conn->fd, requests + begin, end - begin);
        if (n < 0 && errno != EAGAIN) fail("write: %s", strerror(errno));
        if (n > 0) advance(&conn->sent, &conn->sent_part, request_at, (size_t)n);
        int waits = n < (ssize_t)(end - begin);
        if (waits != conn->waits_for_room) watch(conn, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
        conn->waits_for_room = waits;
        if (waits) return;
    }
}

static void send_more(Connection *conn) {
    if (mode != FAN)
        send_until(conn, conn->received + (uint64_t)in_flight);
    else
        send_until(connections, total / (uint64_t)connection_count + (uint64_t)in_flight);
}

/* ------------------------------------------------------------------------------------------------------------ receiving */

static void compare(Connection *conn, const unsigned char *data, size_t size) {
    uint64_t before = conn->received;
    while (size) {
        size_t begin = reply_at[conn->received % exchanges] + conn->received_part, most = reply_at[exchanges] - begin;
        size_t n = size < most ? size : most;
        if (memcmp(data, replies + begin, n)) fail("another reply than expected (number %llu)", (unsigned long long)conn->received);
        advance(&conn->received, &conn->received_part, reply_at, n);
        data += n;
        size -= n;
    }
    total += conn->received - before;
}

static void end_content(Connection *conn) {
    if (conn->content_left) return;
    conn->is_in_content = 0;
    conn->received++;
    total++;
}

/* Judge a complete head, and tell how long the content is. */
static uint64_t content_of(const char *head, size_t size) {
    if (memcmp(head, "HTTP/1.1 200", 12)) fail("not a 200: %.*s", (int)size, head);
    for (const char *line = memchr(head, '\n', size); line && line + 16 < head + size; line = memchr(line + 1, '\n', size - (size_t)(line + 1 - head)))
        if (!strncasecmp(line + 1, "content-length:", 15)) return strtoull(line + 16, NULL, 10);
    fail("no Content-Length: %.*s", (int)size, head);
    return 0;
}

/* Take what completes the head; return how many bytes of `data` that is. */
static size_t take_http_head(Connection *conn, const unsigned char *data, size_t size) {
    size_t before = conn->head_size, room = sizeof conn->head - before, n = size < room ? size : room;
    const unsigned char *head = data, *end;
    if (before) { /* it began in an earlier read */
        memcpy(conn->head + before, data, n);
        head = conn->head;
    }
    if (!(end = memmem(head, before + n, "\r\n\r\n", 4))) {
        if (n < size) fail("a head of more than %d bytes", MAX_HEAD);
        if (!before) memcpy(conn->head, data, n);
        conn->head_size += n;
        return n;
    }
    size_t length = (size_t)(end + 4 - head), want = (size_t)conn->received % exchanges;
    conn->content_left = content_of((const char *)head, length);
    if (conn->content_left != reply_at[want + 1] - reply_at[want]) fail("a content of another length: %.*s", (int)length, head);
    conn->is_in_content = 1;
    conn->head_size = 0;
    end_content(conn);
    return length - before;
}

/* The same for a frame of a server: two bytes, then none, two or eight with its length (RFC 6455 section 5.2). */
static size_t take_frame_head(Connection *conn, const unsigned char *data) {
    unsigned char *head = conn->head;
    head[conn->head_size++] = *data;
    if (conn->head_size < 2) return 1;
    if (head[0] != 0xC1 || head[1] & 0x80) fail("not a whole compressed text frame: %02x %02x", head[0], head[1]);
    size_t more = head[1] < 126 ? 0 : head[1] == 126 ? 2 : 8;
    if (conn->head_size < 2 + more) return 1;
    conn->content_left = more ? 0 : head[1];
    for (size_t i = 0; i < more; i++) conn->content_left = conn->content_left << 8 | head[2 + i];
    conn->is_in_content = 1;
    conn->head_size = 0;
    end_content(conn);
    return 1;
}

static size_t take_content(Connection *conn, const unsigned char *data, size_t size) {
    size_t n = size < conn->content_left ? size : (size_t)conn->content_left;
    if (mode == HTTP && memcmp(data, replies + reply_at[conn->received % exchanges + 1] - conn->content_left, n))
        fail("another content than expected: %.*s", (int)(n < 100 ? n : 100), data);
    if (mode == FRAMES && conn == connections && conn->received == 0 && sample_size + n <= MAX_SAMPLE) {
        memcpy(sample + sample_size, data, n);
        sample_size += n;
    }
    conn->content_left -= n;
    end_content(conn);
    return n;
}

static void take(Connection *conn, const unsigned char *data, size_t size) {
    if (mode == EXACT || mode == FAN) {
        compare(conn, data, size);
        return;
    }
    for (size_t at = 0; at < size;) {
        if (conn->is_in_content)
            at += take_content(conn, data + at, size - at);
        else if (mode == HTTP)
            at += take_http_head(conn, data + at, size - at);
        else
            at += take_frame_head(conn, data + at);
    }
}

static void receive(Connection *conn) {
    static unsigned char buffer[READ];
    ssize_t n = read(conn->fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) fail("the server has ended a connection: %s", n ? strerror(errno) : "end of stream");
    take(conn, buffer, (size_t)n);
    send_more(conn);
}

/* ------------------------------------------------------------------------------------------------------------------ runs */

/* Seconds in which there were replies to read: the rest of the time it only looks whether there are some. */
static double busy;

/* Never sleeps: to wake a core up costs whoever sends to it several microseconds, so a server that is slow enough for its
   load to fall asleep would be charged with that as well. */
static void run_until(double until) {
    struct epoll_event events[64];
    double here = now(), last = here;
    while (here < until) {
        int n = epoll_wait(epoll, events, 64, 0);
        for (int i = 0; i < n; i++) {
            Connection *conn = events[i].data.ptr;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(conn);
            if (events[i].events & EPOLLOUT) send_more(conn);
        }
        double begun = here;
        here = now();
        if (n > 0) {
            busy += here - begun;
            last = here;
        } else if (here - last > PATIENCE_MS / 1000.0)
            fail("no reply for %d ms", PATIENCE_MS);
    }
}

static void begin(int port) {
    epoll = epoll_create1(0);
    connections = calloc((size_t)connection_count, sizeof *connections);
    for (int i = 0; i < connection_count; i++) {
        Connection *conn = connections + i;
        conn->fd = connect_to(port);
        if (opening) {
            say_opening(conn->fd);
            hear_opening(conn->fd);
        }
        fcntl(conn->fd, F_SETFL, O_NONBLOCK);
        watch(conn, EPOLL_CTL_ADD, EPOLLIN);
    }
    for (int i = 0; i < (mode == FAN ? 1 : connection_count); i++) send_more(connections + i);
}

static void open_until(double until, int port) {
    int fds[1024];
    while (now() < until && total + (uint64_t)connection_count <= (uint64_t)in_flight) {
        for (int i = 0; i < connection_count; i++) say_opening(fds[i] = connect_to(port));
        for (int i = 0; i < connection_count; i++) hear_opening(fds[i]);
        total += (uint64_t)connection_count;
    }
}

static void go_on(double seconds, int port) {
    if (mode == OPEN)
        open_until(now() + seconds, port);
    else
        run_until(now() + seconds);
}

static Mode mode_named(const char *name) {
    static const char *const names[] = {"exact", "http", "frames", "fan", "open"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i])) return (Mode)i;
    fail("no mode %s", name);
    return EXACT;
}

int main(int argc, char **argv) {
    if (argc != 10) fail("MODE PORT CONNECTIONS IN_FLIGHT WARM_UP SECONDS PIDS EXCHANGES OPENING");
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    mode = mode_named(argv[1]);
    int port = atoi(argv[2]);
    connection_count = atoi(argv[3]);
    in_flight = atoi(argv[4]);
    if (connection_count < 1 || in_flight < 1 || (mode == OPEN && connection_count > 1024)) fail("wrong numbers");
    for (char *pid = strtok(argv[7], ","); pid && pid_count < MAX_PIDS; pid = strtok(NULL, ",")) pids[pid_count++] = atoi(pid);
    if (strcmp(argv[9], "-")) opening = whole_file(argv[9], &opening_size);
    if (mode != OPEN) {
        load_exchanges(argv[8]);
        begin(port);
    }
    go_on(atof(argv[5]), port);
    uint64_t count = total;
    double since = now(), own = clock_of(CLOCK_PROCESS_CPUTIME_ID), server = server_cpu();
    busy = 0;
    go_on(atof(argv[6]), port);
    server = server_cpu() - server;
    own = mode == OPEN ? clock_of(CLOCK_PROCESS_CPUTIME_ID) - own : busy;
    printf("{\"count\": %llu, \"seconds\": %.6f, \"server_cpu\": %.9f, \"load_cpu\": %.9f, \"sample\": \"",
           (unsigned long long)(total - count), now() - since, server, own);
    for (size_t i = 0; i < sample_size; i++) printf("%02x", sample[i]);
    printf("\"}\n");
    return 0;
}
