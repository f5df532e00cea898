"""`python -m soak`: chaos for a while, then signals at random moments, on each backend; or thousands of idle connections."""

from __future__ import annotations

import argparse
import random
import sys

from soak import chaos, idle, stopping
from soak.server import BACKENDS


def main() -> int:
    """Run what the arguments say; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--backend", action="append", choices=tuple(BACKENDS), help="(repeatable; default: each)"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of chaos on each backend (%(default)s)")
    parser.add_argument("--clients", type=int, default=50, help="at a time (%(default)s)")
    parser.add_argument("--stops", type=int, default=1000, help="signals, over all backends (%(default)s)")
    parser.add_argument("--seed", type=int, help="of the clients and the network (default: a new one)")
    parser.add_argument(
        "--idle",
        type=int,
        metavar="N",
        help="open so many idle connections of each kind, and do nothing else",
    )
    arguments = parser.parse_args()
    backends = tuple(arguments.backend or BACKENDS)
    if arguments.idle is not None:
        return measure(backends, arguments.idle)
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    wrong = 0
    for backend in backends if arguments.seconds else ():
        report = chaos.run(backend, arguments.seconds, arguments.clients, seed)
        print(f"{backend:<8}{report.text()}", flush=True)
        wrong += tell(report.wrong, backend)
    for number in range(arguments.stops):
        backend = backends[number % len(backends)]
        wrong += tell(stopping.run(backend, seed + number), f"{backend}, signal {number}")
        if number % 100 == 99 or number == arguments.stops - 1:
            print(f"{number + 1} signals, {wrong} things wrong so far", flush=True)
    print(f"{wrong} things went wrong" if wrong else "nothing went wrong")
    return 1 if wrong else 0


def measure(backends: tuple[str, ...], wanted: int) -> int:
    """Print what idle connections take on each backend; 1 if a healthy client has to wait among them."""
    connections = idle.affordable(wanted)
    if connections < wanted:
        print(f"the limit of descriptors allows {connections} connections, not {wanted}")
    is_slow = False
    for backend in backends:
        for kind in idle.KINDS:
            report = idle.run(backend, kind, connections)
            print(f"{backend:<8}{report.text()}", flush=True)
            is_slow = is_slow or report.is_slow
    return 1 if is_slow else 0


def tell(wrong: list[str], where: str) -> int:
    """Print what went wrong, and count it."""
    for each in wrong:
        print(f"    {where}: {each}", flush=True)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
