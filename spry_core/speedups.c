/* The innermost loops of the native engine: what `spry_core/protocol/engines/pure.py` does in Python, in C.

   A function here swallows what is plainly in order and leaves everything else where it is. It never decides: no rule
   of what a peer may do, no status code and no close code stands in this file; the rules in Python look at whatever
   was left, and find what is wrong with it. So this file can make Spry faster, and cannot make it behave otherwise;
   `tests/spry_core/test_speedups.py` and the fuzz target `primitives` hold it to that.

   For the reader: only the stable ABI is used (`Py_LIMITED_API`), so one build serves every Python from 3.11 on. There
   is no state, neither static nor in the module, but in an `Arrival`, which belongs to one connection. A position or a
   length is a `Py_ssize_t` within an object that exists; anything larger is compared before it is added. */

#include <Python.h>
#include <stdint.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------------- arguments */

static int
has_count(const char *name, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted) {
        return 1;
    }
    PyErr_Format(PyExc_TypeError, "%s() takes %zd positional arguments, not %zd", name, wanted, given);
    return 0;
}

/* A limit: what no object can reach is as good as the most that one can. */
static int
read_limit(PyObject *number, Py_ssize_t *limit)
{
    *limit = PyNumber_AsSsize_t(number, NULL);
    return *limit != -1 || !PyErr_Occurred();
}

static int
read_position(PyObject *number, Py_ssize_t *position)
{
    *position = PyNumber_AsSsize_t(number, PyExc_OverflowError);
    if (*position == -1 && PyErr_Occurred()) {
        return 0;
    }
    if (*position < 0) {
        PyErr_SetString(PyExc_ValueError, "a position before the first byte");
        return 0;
    }
    return 1;
}

static int
read_bytes(PyObject *object, const unsigned char **data, Py_ssize_t *length)
{
    char *found;
    if (PyBytes_AsStringAndSize(object, &found, length) < 0) {
        return 0;
    }
    *data = (const unsigned char *)found;
    return 1;
}

static int
read_key(PyObject *object, const unsigned char **key)
{
    Py_ssize_t length;
    if (!read_bytes(object, key, &length)) {
        return 0;
    }
    if (length != 4) {
        PyErr_SetString(PyExc_ValueError, "a masking key has four bytes");
        return 0;
    }
    return 1;
}

/* -------------------------------------------------------------------------------------- masking (RFC 6455 5.3) */

/* XOR `source` with the key in turn into `target`, which is another object. All that is loaded at a time is loaded before
   any of it is stored, so that compilers use their widest registers without having to know that. */
static void
mask(unsigned char *target, const unsigned char *source, Py_ssize_t length, const unsigned char *key)
{
    uint64_t pattern, first, second, third, fourth;
    Py_ssize_t done = 0;

    memcpy(&pattern, key, 4);
    memcpy((unsigned char *)&pattern + 4, key, 4);
    for (; length - done >= 32; done += 32) {
        memcpy(&first, source + done, 8);
        memcpy(&second, source + done + 8, 8);
        memcpy(&third, source + done + 16, 8);
        memcpy(&fourth, source + done + 24, 8);
        first ^= pattern;
        second ^= pattern;
        third ^= pattern;
        fourth ^= pattern;
        memcpy(target + done, &first, 8);
        memcpy(target + done + 8, &second, 8);
        memcpy(target + done + 16, &third, 8);
        memcpy(target + done + 24, &fourth, 8);
    }
    for (; length - done >= 8; done += 8) {
        memcpy(&first, source + done, 8);
        first ^= pattern;
        memcpy(target + done, &first, 8);
    }
    for (; done < length; done++) {
        target[done] = source[done] ^ key[done & 3];
    }
}

static PyObject *
masked_copy(const unsigned char *source, Py_ssize_t length, const unsigned char *key)
{
    PyObject *copy = PyBytes_FromStringAndSize(NULL, length);
    if (copy != NULL) {
        mask((unsigned char *)PyBytes_AsString(copy), source, length, key);
    }
    return copy;
}

PyDoc_STRVAR(unmask_doc, "unmask(data, start, end, key, /)\n--\n\n"
"Return ``data[start:end]``, each byte XORed with the four of `key` in turn (RFC 6455 \302\2475.3).\n\n"
"ValueError unless ``0 <= start <= end <= len(data)`` and the key has four bytes.");

static PyObject *
unmask(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    const unsigned char *data, *key;
    Py_ssize_t length, start, end;

    if (!has_count("unmask", count, 4) || !read_bytes(arguments[0], &data, &length)
        || !read_position(arguments[1], &start) || !read_position(arguments[2], &end)
        || !read_key(arguments[3], &key)) {
        return NULL;
    }
    if (start > end || end > length) {
        PyErr_SetString(PyExc_ValueError, "not a part of the data");
        return NULL;
    }
    return masked_copy(data + start, end - start, key);
}

/* -------------------------------------------------------------------------------------- frames (RFC 6455 5.2) */

enum { MASK_BIT = 0x80, SHORT = 126, LONG = 127, LONGEST_HEADER = 14 };
enum { FIN_TEXT = 0x81, FIN_BINARY = 0x82 };

/* Write the header of a frame without its key; return how long it is. */
static Py_ssize_t
write_header(unsigned char *header, int first, int mask_bit, Py_ssize_t length)
{
    uint64_t rest = (uint64_t)length;

    header[0] = (unsigned char)first;
    if (length < SHORT) {
        header[1] = (unsigned char)(mask_bit | length);
        return 2;
    }
    if (length < 65536) {
        header[1] = (unsigned char)(mask_bit | SHORT);
        header[2] = (unsigned char)(length >> 8);
        header[3] = (unsigned char)(length & 0xFF);
        return 4;
    }
    header[1] = (unsigned char)(mask_bit | LONG);
    for (int place = 9; place > 1; place--, rest >>= 8) {
        header[place] = (unsigned char)(rest & 0xFF);
    }
    return 10;
}

static PyObject *
make_frame(int first, const unsigned char *payload, Py_ssize_t length, const unsigned char *key)
{
    unsigned char header[LONGEST_HEADER];
    unsigned char *target;
    PyObject *result;
    Py_ssize_t size = write_header(header, first, key == NULL ? 0 : MASK_BIT, length);

    if (key != NULL) {
        memcpy(header + size, key, 4);
        size += 4;
    }
    if (length > PY_SSIZE_T_MAX - size) {
        return PyErr_NoMemory();
    }
    result = PyBytes_FromStringAndSize(NULL, size + length);
    if (result == NULL) {
        return NULL;
    }
    target = (unsigned char *)PyBytes_AsString(result);
    memcpy(target, header, (size_t)size);
    if (key == NULL) {
        memcpy(target + size, payload, (size_t)length);
    } else {
        mask(target + size, payload, length, key);
    }
    return result;
}

PyDoc_STRVAR(frame_doc, "frame(first, payload, key=None, /)\n--\n\n"
"Return a frame with this first byte (FIN, reserved bits, opcode), masked with the four bytes of `key` if it is not\n"
"None (RFC 6455 \302\2475.2).\n\n"
"ValueError unless the first byte is one and the key has four.");

static PyObject *
frame(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    const unsigned char *payload, *key = NULL;
    Py_ssize_t first, length;

    if ((count != 2 && !has_count("frame", count, 3)) || !read_limit(arguments[0], &first)
        || !read_bytes(arguments[1], &payload, &length)
        || (count == 3 && arguments[2] != Py_None && !read_key(arguments[2], &key))) {
        return NULL;
    }
    if (first < 0 || first > 0xFF) {
        PyErr_SetString(PyExc_ValueError, "the first byte of a frame is one byte");
        return NULL;
    }
    return make_frame((int)first, payload, length, key);
}

/* One message that lies in the data, all of it. */
struct message {
    int is_text;
    const unsigned char *key; /* NULL if it is not masked */
    const unsigned char *payload;
    Py_ssize_t length;
};

/* Read an extended payload length of `width` bytes; 0, which none can be, if it is not in its shortest form. */
static uint64_t
read_length(const unsigned char *from, int width)
{
    uint64_t length = 0;
    for (int place = 0; place < width; place++) {
        length = length << 8 | from[place];
    }
    return length < (width == 2 ? SHORT : 65536) ? 0 : length;
}

/* Find the message that the frame at `from` is; return where the frame ends, or NULL to leave it: it is not all there
   before `to`, longer than `longest`, fragmented, compressed, a control frame, not masked as it should be, or wrong. */
static const unsigned char *
find_message(const unsigned char *from, const unsigned char *to, int is_masked, Py_ssize_t longest,
             struct message *found)
{
    int key_size = is_masked ? 4 : 0;
    uint64_t length;

    if (to - from < 2 || (from[0] != FIN_TEXT && from[0] != FIN_BINARY)
        || (from[1] & MASK_BIT) != (is_masked ? MASK_BIT : 0)) {
        return NULL;
    }
    found->is_text = from[0] == FIN_TEXT;
    length = from[1] & 0x7F;
    from += 2;
    if (length >= SHORT) {
        int width = length == SHORT ? 2 : 8;
        if (to - from < width || (length = read_length(from, width)) == 0) {
            return NULL;
        }
        from += width;
    }
    if (longest < 0 || length > (uint64_t)longest || to - from < key_size
        || length > (uint64_t)(to - from - key_size)) {
        return NULL;
    }
    found->key = is_masked ? from : NULL;
    found->payload = from + key_size;
    found->length = (Py_ssize_t)length;
    return found->payload + length;
}

/* Decode text; NULL without an error set if it is no UTF-8, which is for the rules to judge (RFC 6455 8.1). */
static PyObject *
decode(const unsigned char *text, Py_ssize_t length)
{
    PyObject *decoded = PyUnicode_DecodeUTF8((const char *)text, length, NULL);
    if (decoded == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
    }
    return decoded;
}

/* Most messages are short: these are unmasked on the stack. */
static PyObject *
take_masked_text(const struct message *found)
{
    unsigned char text[512];
    PyObject *copy, *decoded;

    if (found->length <= (Py_ssize_t)sizeof text) {
        mask(text, found->payload, found->length, found->key);
        return decode(text, found->length);
    }
    copy = masked_copy(found->payload, found->length, found->key);
    if (copy == NULL) {
        return NULL;
    }
    decoded = decode((const unsigned char *)PyBytes_AsString(copy), found->length);
    Py_DECREF(copy);
    return decoded;
}

/* Make the str or bytes of a message; NULL, with or without an error set, if that cannot be done. */
static PyObject *
take_message(const struct message *found)
{
    if (found->is_text) {
        return found->key == NULL ? decode(found->payload, found->length) : take_masked_text(found);
    }
    return found->key == NULL ? PyBytes_FromStringAndSize((const char *)found->payload, found->length)
                              : masked_copy(found->payload, found->length, found->key);
}

/* Append a new object, if it is one, and let it go; 0 if that failed. */
static int
append(PyObject *list, PyObject *item)
{
    int failed = item == NULL || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return !failed;
}

/* Return a tuple of new objects, which it takes over; NULL, and none of them is left, if one of them is NULL. */
static PyObject *
tuple_of(PyObject **items, Py_ssize_t count)
{
    int is_whole = 1;
    PyObject *tuple;

    for (Py_ssize_t place = 0; place < count; place++) {
        is_whole = is_whole && items[place] != NULL;
    }
    tuple = is_whole ? PyTuple_New(count) : NULL;
    for (Py_ssize_t place = 0; place < count; place++) {
        if (tuple == NULL) {
            Py_XDECREF(items[place]);
        } else {
            PyTuple_SetItem(tuple, place, items[place]);
        }
    }
    return tuple;
}

/* Take messages into the lists; return the first byte that was left, or NULL with an error set. */
static const unsigned char *
take_messages(const unsigned char *from, const unsigned char *to, int is_masked, Py_ssize_t most, Py_ssize_t room,
              Py_ssize_t longest, PyObject *messages, PyObject *sizes)
{
    while (most > 0 && room > 0) {
        struct message found;
        const unsigned char *end = find_message(from, to, is_masked, longest, &found);
        PyObject *message = end == NULL ? NULL : take_message(&found);

        if (message == NULL) {
            break;
        }
        if (!append(messages, message) || !append(sizes, PyLong_FromSsize_t(found.length))) {
            break;
        }
        most -= 1;
        room -= found.length;
        from = end;
    }
    return PyErr_Occurred() ? NULL : from;
}

PyDoc_STRVAR(scan_doc, "scan(data, start, masked, most, room, longest, /)\n--\n\n"
"Take the messages of one unfragmented, uncompressed frame each that lie complete in `data` from `start` on; return\n"
"them, the payload bytes of each, and where the first frame begins that was left (RFC 6455 \302\2475.2, \302\2475.6).\n\n"
"ValueError if `start` is negative.");

static PyObject *
scan(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    const unsigned char *data, *end;
    Py_ssize_t length, start, most, room, longest;
    int is_masked;
    PyObject *parts[3];

    if (!has_count("scan", count, 6) || !read_bytes(arguments[0], &data, &length)
        || !read_position(arguments[1], &start) || (is_masked = PyObject_IsTrue(arguments[2])) < 0
        || !read_limit(arguments[3], &most) || !read_limit(arguments[4], &room)
        || !read_limit(arguments[5], &longest)) {
        return NULL;
    }
    parts[0] = PyList_New(0);
    parts[1] = parts[0] == NULL ? NULL : PyList_New(0);
    parts[2] = NULL;
    if (parts[1] != NULL) {
        if (start < length) {
            end = take_messages(data + start, data + length, is_masked, most, room, longest, parts[0], parts[1]);
            start = end == NULL ? -1 : end - data;
        }
        parts[2] = start < 0 ? NULL : PyLong_FromSsize_t(start);
    }
    return tuple_of(parts, 3);
}

/* ---------------------------------------------------------------------- messages of several reads (RFC 6455 5.3, 5.6) */

/* A message of one frame of which not all is here yet. Like everything else of a connection it is for one thread at a time. */
typedef struct {
    PyObject_HEAD
    PyObject *payload; /* a bytes that nobody else sees, with room for more than has come; NULL when it was taken */
    Py_ssize_t length; /* of the whole payload */
    Py_ssize_t size;   /* what has come of it */
    Py_ssize_t sound;  /* what was found to be UTF-8 of that */
    int is_text, is_masked;
    unsigned char key[4];
} Arrival;

enum { AT_ONCE = 1 << 18, SHARE = 8 };

/* How much to have room for: a message that is not long is given its length at once, of another an eighth of it, or an eighth of
   that, before the whole. So a header alone pins little, and what there was and what there is now are never more than the message
   and an eighth. */
static Py_ssize_t
room_for(Py_ssize_t size, Py_ssize_t length)
{
    while (length > AT_ONCE && length / SHARE + 1 >= size) {
        length = length / SHARE + 1;
    }
    return length;
}

/* See to it that there is room for so many bytes; 0 with an error set if there is no memory. */
static int
make_room(Arrival *self, Py_ssize_t size)
{
    PyObject *bigger;

    if (self->payload != NULL && size <= PyBytes_Size(self->payload)) {
        return 1;
    }
    bigger = PyBytes_FromStringAndSize(NULL, room_for(size, self->length));
    if (bigger == NULL) {
        return 0;
    }
    if (self->payload != NULL) {
        memcpy(PyBytes_AsString(bigger), PyBytes_AsString(self->payload), (size_t)self->size);
        Py_DECREF(self->payload);
    }
    self->payload = bigger;
    return 1;
}

static PyObject *
new_arrival(PyTypeObject *type, PyObject *arguments, PyObject *Py_UNUSED(names))
{
    const unsigned char *key = NULL;
    Py_ssize_t length;
    int is_text;
    PyObject *mask_with;
    Arrival *self;

    if (!has_count("Arrival", PyTuple_Size(arguments), 3)
        || (is_text = PyObject_IsTrue(PyTuple_GetItem(arguments, 0))) < 0
        || !read_position(PyTuple_GetItem(arguments, 1), &length)) {
        return NULL;
    }
    mask_with = PyTuple_GetItem(arguments, 2);
    if (mask_with != Py_None && !read_key(mask_with, &key)) {
        return NULL;
    }
    self = (Arrival *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self != NULL) {
        self->length = length; /* all else is 0 */
        self->is_text = is_text;
        self->is_masked = key != NULL;
        if (key != NULL) {
            memcpy(self->key, key, 4);
        }
    }
    return (PyObject *)self;
}

static void
drop_arrival(Arrival *self)
{
    PyTypeObject *type = Py_TYPE((PyObject *)self);

    Py_XDECREF(self->payload);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Return the first byte that is not ASCII. */
static const unsigned char *
pass_ascii(const unsigned char *from, const unsigned char *to)
{
    uint64_t eight;

    for (; to - from >= 8; from += 8) {
        memcpy(&eight, from, 8);
        if (eight & 0x8080808080808080u) {
            break;
        }
    }
    while (from < to && *from < 0x80) {
        from++;
    }
    return from;
}

/* Tell whether the text can go on behind what has come: 1, 0 if not, -1 with an error set. Half a character at its end may, unless
   it is half a surrogate already (RFC 3629 3). */
static int
can_go_on(Arrival *self)
{
    const unsigned char *text = (const unsigned char *)PyBytes_AsString(self->payload), *end = text + self->size;
    const unsigned char *from = pass_ascii(text + self->sound, end);
    Py_ssize_t found = 0;
    PyObject *decoded;

    if (from < end) {
        decoded = PyUnicode_DecodeUTF8Stateful((const char *)from, end - from, NULL, &found);
        if (decoded == NULL) {
            if (!PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
                return -1;
            }
            PyErr_Clear();
            return 0;
        }
        Py_DECREF(decoded);
        from += found;
    }
    self->sound = from - text;
    return !(end - from >= 2 && from[0] == 0xED && from[1] >= 0xA0);
}

PyDoc_STRVAR(add_doc, "add(data, start, end, /)\n--\n\n"
"Take ``data[start:end]``, which comes next. False if the text cannot go on behind it; it is taken all the same.\n\n"
"ValueError if that is not a part of the data, or more than is missing, or the message was taken.");

static PyObject *
add(Arrival *self, PyObject *const *arguments, Py_ssize_t count)
{
    const unsigned char *data;
    unsigned char *target;
    Py_ssize_t length, start, end;
    int is_sound = 1;

    if (!has_count("add", count, 3) || !read_bytes(arguments[0], &data, &length)
        || !read_position(arguments[1], &start) || !read_position(arguments[2], &end)) {
        return NULL;
    }
    if (start > end || end > length || end - start > self->length - self->size) {
        PyErr_SetString(PyExc_ValueError, "not a part of the data, or more than is missing");
        return NULL;
    }
    if (!make_room(self, self->size + (end - start))) {
        return NULL;
    }
    target = (unsigned char *)PyBytes_AsString(self->payload) + self->size;
    if (self->is_masked) {
        unsigned char key[4];
        for (int place = 0; place < 4; place++) {
            key[place] = self->key[(self->size + place) & 3];
        }
        mask(target, data + start, end - start, key);
    } else {
        memcpy(target, data + start, (size_t)(end - start));
    }
    self->size += end - start;
    if (self->is_text && self->size < self->length) { /* of the whole `take` will tell */
        is_sound = can_go_on(self);
    }
    return is_sound < 0 ? NULL : PyBool_FromLong(is_sound);
}

PyDoc_STRVAR(so_far_doc, "so_far()\n--\n\n"
"Return what has come of the payload, unmasked.");

static PyObject *
so_far(Arrival *self, PyObject *Py_UNUSED(nothing))
{
    return PyBytes_FromStringAndSize(self->payload == NULL ? NULL : PyBytes_AsString(self->payload), self->size);
}

PyDoc_STRVAR(take_doc, "take()\n--\n\n"
"Return the message, which has come whole; None if it is text and no UTF-8, which is left.\n\n"
"ValueError if some of it is missing. It can be taken once.");

static PyObject *
take(Arrival *self, PyObject *Py_UNUSED(nothing))
{
    PyObject *message;

    if (self->size < self->length) {
        PyErr_SetString(PyExc_ValueError, "some of the message is missing");
        return NULL;
    }
    if (!make_room(self, self->length)) {
        return NULL;
    }
    if (self->is_text) {
        message = decode((const unsigned char *)PyBytes_AsString(self->payload), self->length);
        if (message == NULL && !PyErr_Occurred()) {
            Py_RETURN_NONE;
        }
        return message;
    }
    message = self->payload;
    self->payload = NULL;
    self->size = 0;
    return message;
}

static PyMethodDef ARRIVAL_METHODS[] = {
    {"add", (PyCFunction)(void (*)(void))add, METH_FASTCALL, add_doc},
    {"so_far", (PyCFunction)(void (*)(void))so_far, METH_NOARGS, so_far_doc},
    {"take", (PyCFunction)(void (*)(void))take, METH_NOARGS, take_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(arrival_doc, "Arrival(is_text, length, key, /)\n--\n\n"
"A message of one frame while its payload comes in, masked if `key` is not None (RFC 6455 \302\2475.3, \302\2475.6).\n\n"
"ValueError if the length is negative, or the key has not four bytes.");

static PyType_Slot ARRIVAL_SLOTS[] = {
    {Py_tp_doc, (void *)arrival_doc},
    {Py_tp_new, (void *)new_arrival},
    {Py_tp_dealloc, (void *)drop_arrival},
    {Py_tp_methods, ARRIVAL_METHODS},
    {0, NULL},
};

static PyType_Spec ARRIVAL = {
    .name = "spry_core.speedups.Arrival",
    .basicsize = sizeof(Arrival),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = ARRIVAL_SLOTS,
};

static int
add_types(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &ARRIVAL, NULL);
    /* Under the name of a function too, for in a module that is what checkers of types understand. */
    int is_added = type != NULL && PyModule_AddType(module, (PyTypeObject *)type) == 0
                   && PyModule_AddObjectRef(module, "arrival", type) == 0;

    Py_XDECREF(type);
    return is_added ? 0 : -1;
}

/* ------------------------------------------------------------------------- heads of requests (RFC 9112 2.2, 3, 5) */

/* What a byte may be part of: a token, a target without a fragment, a field value. */
enum { IN_TOKEN = 1, IN_TARGET = 2, IN_VALUE = 4 };

static const unsigned char KINDS[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, /* HTAB */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 7, 6, 5, 7, 7, 7, 7, 6, 6, 7, 7, 6, 7, 7, 6, /* SP ! " # $ % & ' ( ) * + , - . / */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, /* 0 to 9 : ; < = > ? */
    6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* @ A to O */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7, /* P to Z [ \ ] ^ _ */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, /* ` a to o */
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 6, 7, 6, 7, 0, /* p to z { | } ~ DEL */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* obs-text from here */
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
};

/* Some of the bytes of a head: from `from` to before `to`. */
struct part {
    const unsigned char *from;
    const unsigned char *to;
};

struct limits {
    Py_ssize_t line, field_line, section, fields;
};

struct names {
    PyObject *known;
    PyObject *notable;
};

/* Return the first byte that is not of this kind. */
static const unsigned char *
pass(const unsigned char *from, const unsigned char *to, int kind)
{
    while (from < to && (KINDS[*from] & kind)) {
        from++;
    }
    return from;
}

/* Tell whether these bytes stand here. */
static int
stands(const unsigned char *from, const unsigned char *to, const char *text, Py_ssize_t length)
{
    return to - from >= length && memcmp(from, text, (size_t)length) == 0;
}

static PyObject *
copy_part(const unsigned char *from, const unsigned char *to)
{
    return PyBytes_FromStringAndSize((const char *)from, to - from);
}

/* Find method, target and version; return where the next line begins, or NULL. */
static const unsigned char *
find_request_line(struct part head, struct part line[3])
{
    line[0].from = head.from;
    line[0].to = pass(head.from, head.to, IN_TOKEN);
    if (line[0].to == line[0].from || !stands(line[0].to, head.to, " ", 1)) {
        return NULL;
    }
    line[1].from = line[0].to + 1;
    line[1].to = pass(line[1].from, head.to, IN_TARGET);
    if (line[1].to == line[1].from
        || !(stands(line[1].to, head.to, " HTTP/1.1\r\n", 11) || stands(line[1].to, head.to, " HTTP/1.0\r\n", 11))) {
        return NULL;
    }
    line[2].from = line[1].to + 6;
    line[2].to = line[2].from + 3;
    return line[2].to + 2;
}

/* Find the name and the value of a field line; return where the line ends, or NULL. */
static const unsigned char *
find_field(const unsigned char *from, const unsigned char *to, struct part *name, struct part *value)
{
    const unsigned char *end;

    name->from = from;
    name->to = pass(from, to, IN_TOKEN);
    if (name->to == name->from || !stands(name->to, to, ":", 1)) {
        return NULL;
    }
    value->from = name->to + 1;
    value->to = end = pass(value->from, to, IN_VALUE);
    if (!stands(end, to, "\r\n", 2)) {
        return NULL;
    }
    while (value->from < value->to && (*value->from == ' ' || *value->from == '\t')) {
        value->from++;
    }
    while (value->to > value->from && (value->to[-1] == ' ' || value->to[-1] == '\t')) {
        value->to--;
    }
    return end;
}

/* Return a name in lower case: the object that is known for it, or a new one. */
static PyObject *
make_name(struct part name, PyObject *known)
{
    Py_ssize_t length = name.to - name.from;
    PyObject *lowered = PyBytes_FromStringAndSize(NULL, length), *found;
    char *target;

    if (lowered == NULL) {
        return NULL;
    }
    target = PyBytes_AsString(lowered);
    for (Py_ssize_t place = 0; place < length; place++) {
        unsigned char letter = name.from[place];
        target[place] = (char)(letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter);
    }
    found = PyDict_GetItemWithError(known, lowered); /* borrowed, of a dict that nobody changes */
    if (found == NULL && !PyErr_Occurred()) {
        return lowered;
    }
    Py_XINCREF(found);
    Py_DECREF(lowered);
    return found;
}

/* Append a field to the lists that it belongs to; 0 with an error set if that failed. */
static int
take_field(struct part name, struct part value, struct names names, PyObject *fields, PyObject *noted)
{
    PyObject *parts[2], *pair;
    int is_notable;

    parts[0] = make_name(name, names.known);
    is_notable = parts[0] == NULL ? -1 : PySet_Contains(names.notable, parts[0]);
    parts[1] = is_notable < 0 ? NULL : copy_part(value.from, value.to);
    pair = tuple_of(parts, 2);
    if (pair != NULL && is_notable && PyList_Append(noted, pair) < 0) {
        Py_DECREF(pair);
        return 0;
    }
    return append(fields, pair);
}

/* Take the field lines into the lists; return where the head ends, or NULL, with an error set or not. */
static const unsigned char *
take_fields(struct part section, struct limits limits, struct names names, PyObject *fields, PyObject *noted)
{
    const unsigned char *from = section.from;
    Py_ssize_t count = 0;

    while (from - section.from <= limits.section) {
        struct part name, value;
        const unsigned char *end;

        if (stands(from, section.to, "\r\n", 2)) {
            return from + 2;
        }
        end = find_field(from, section.to, &name, &value);
        if (end == NULL || end - from > limits.field_line || ++count > limits.fields
            || !take_field(name, value, names, fields, noted)) {
            return NULL;
        }
        from = end + 2;
    }
    return NULL;
}

/* Return what `parse_head` says of these bytes; None goes for whatever is not in order. */
static PyObject *
take_head(struct part head, const unsigned char *origin, struct limits limits, struct names names)
{
    struct part line[3];
    const unsigned char *first = find_request_line(head, line), *end = NULL;
    PyObject *fields, *noted, *parts[6];

    if (first == NULL || first - 2 - head.from > limits.line) {
        Py_RETURN_NONE;
    }
    fields = PyList_New(0);
    noted = fields == NULL ? NULL : PyList_New(0);
    if (noted != NULL) {
        struct part section = {first, head.to};
        end = take_fields(section, limits, names, fields, noted);
    }
    if (end != NULL) {
        for (int place = 0; place < 3; place++) {
            parts[place] = copy_part(line[place].from, line[place].to);
        }
        parts[3] = PyList_AsTuple(fields);
        parts[4] = PyList_AsTuple(noted);
        parts[5] = PyLong_FromSsize_t(end - origin);
    }
    Py_XDECREF(fields);
    Py_XDECREF(noted);
    if (end != NULL) {
        return tuple_of(parts, 6);
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static int
read_names(PyObject *known, PyObject *notable, struct names *names)
{
    names->known = known;
    names->notable = notable;
    if (PyDict_Check(known) && PyFrozenSet_Check(notable)) {
        return 1;
    }
    PyErr_SetString(PyExc_TypeError, "known names are a dict, notable ones a frozenset");
    return 0;
}

PyDoc_STRVAR(parse_head_doc,
"parse_head(data, start, max_line, max_field_line, max_section, max_fields, known, notable, /)\n--\n\n"
"Take the head of a request apart that lies complete and in order in `data` from `start` on; return method, target,\n"
"version, fields, those of them whose names are `notable`, and where the head ends. None for every other (RFC 9112\n"
"\302\2473, \302\2475).\n\n"
"ValueError if `start` is negative.");

static PyObject *
parse_head(PyObject *Py_UNUSED(module), PyObject *const *arguments, Py_ssize_t count)
{
    struct limits limits;
    struct names names;
    Py_ssize_t start;
    Py_buffer data;
    PyObject *result;

    if (!has_count("parse_head", count, 8) || !read_position(arguments[1], &start)
        || !read_limit(arguments[2], &limits.line) || !read_limit(arguments[3], &limits.field_line)
        || !read_limit(arguments[4], &limits.section) || !read_limit(arguments[5], &limits.fields)
        || !read_names(arguments[6], arguments[7], &names)
        || PyObject_GetBuffer(arguments[0], &data, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (start < data.len) {
        const unsigned char *origin = data.buf;
        struct part head = {origin + start, origin + data.len};
        result = take_head(head, origin, limits, names);
    } else {
        result = Py_None;
        Py_INCREF(result);
    }
    PyBuffer_Release(&data);
    return result;
}

/* ------------------------------------------------------------------------------------------------------ the module */

static PyMethodDef FUNCTIONS[] = {
    {"unmask", (PyCFunction)(void (*)(void))unmask, METH_FASTCALL, unmask_doc},
    {"frame", (PyCFunction)(void (*)(void))frame, METH_FASTCALL, frame_doc},
    {"scan", (PyCFunction)(void (*)(void))scan, METH_FASTCALL, scan_doc},
    {"parse_head", (PyCFunction)(void (*)(void))parse_head, METH_FASTCALL, parse_head_doc},
    {NULL, NULL, 0, NULL},
};

/* What newer headers can be told. The stable ABI of 3.11 knows neither, and what it leaves out is the cautious answer. */
static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, (void *)add_types},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

PyDoc_STRVAR(module_doc, "The primitives of the native engine in C (`spry_core.protocol.engines.interface.Primitives`).");

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    .m_name = "spry_core.speedups",
    .m_doc = module_doc,
    .m_size = 0,
    .m_methods = FUNCTIONS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC
PyInit_speedups(void)
{
    return PyModuleDef_Init(&MODULE);
}
