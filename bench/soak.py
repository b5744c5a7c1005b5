#!/usr/bin/env python3
"""Keeps a server busy for a long time and prints what became of it, as a table; fails if something grows or gets lost.

Sessions carry echoes, renegotiate and change their addresses, in the laboratory of side_by_side.py. The server must keep
them all, answer nearly every echo, and not grow: its memory at the end is compared with that after a fifth of the time.

Needs root, and release builds of postern and postern-bench.
"""
import argparse
import json
import signal
import sys
import tempfile

import side_by_side
from side_by_side import TARGET, Lab, Meter, Server, ready

MOST_LOST_ECHOES = 0.01
MOST_GROWTH = 0.05


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = side_by_side.release_directory()
    parser.add_argument('--postern', default=f'{release}/postern')
    parser.add_argument('--bench', default=f'{release}/postern-bench')
    parser.add_argument('--minutes', type=float, default=30)
    parser.add_argument('--sessions', type=int, default=200)
    parser.add_argument('--rate', type=float, default=2000, help='echoes per second over all sessions')
    parser.set_defaults(realtime=False, server_processors='0')
    return parser.parse_args()


def soak(lab, options):
    """Yields what was reported in each interval, with the share of a processor that the server took in it."""
    server = Server(lab, 'postern')
    try:
        client = lab.bench(lab.client, 'soak', '--sessions', options.sessions, '--target', TARGET, '--rate', options.rate,
                           '--seconds', options.minutes * 60, '--every', max(options.minutes * 60 / 30, 5),
                           '--process', server.process.pid)
        ready(client)
        meter = Meter(server)
        for line in client.stdout:
            own, _, seconds = meter.read()
            meter = Meter(server)
            yield json.loads(line) | {'share': own / max(seconds, 1e-9)}
        if client.wait():
            raise RuntimeError('the load generator failed')
    finally:
        server.stop()


def row(report):
    missing = 1 - report['replies'] / max(report['echoes'], 1)
    return (f"| {report['seconds']} | {report['sessions']} | {report['lost']} | {report['echoes']} | {missing:.4%} | "
            f"{report['roams']} | {report['renegotiations']} | {report['resident_kib']} | {report['share']:.1%} |")


def complaints(reports, sessions):
    settled, last = reports[len(reports) // 5], reports[-1]
    if last['lost'] or last['sessions'] != sessions:
        yield f"{last['lost']} sessions were lost, {last['sessions']} of {sessions} are there"
    if last['replies'] < (1 - MOST_LOST_ECHOES) * last['echoes']:
        yield f"{last['echoes'] - last['replies']} of {last['echoes']} echoes were not answered"
    if last['resident_kib'] > (1 + MOST_GROWTH) * settled['resident_kib']:
        yield f"memory grew from {settled['resident_kib']} to {last['resident_kib']} KiB"


def main():
    options, reports = arguments(), []
    side_by_side.raise_priority()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print('| seconds | sessions | lost | echoes | unanswered | moves | renegotiations | memory KiB | processor |')
    print('|---' * 9 + '|')
    with tempfile.TemporaryDirectory(prefix='postern-soak-') as directory, Lab(options, directory) as lab:
        for report in soak(lab, options):
            reports.append(report)
            print(row(report), flush=True)
    found = list(complaints(reports, options.sessions))
    for complaint in found:
        print(f'soak: {complaint}', file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == '__main__':
    main()
