#!/usr/bin/env python3
"""Measures Postern and stock OpenVPN side by side, on this machine, and prints medians with ratios.

    c0 (client) --veth-- s (server under test) --veth-- t (target, 10.7.0.2)

Servers take turns within every round and change order from round to round; only figures of one run are comparable.
The server and the receive threads of its interfaces have processor 0, clients and target processor 1. Interfaces of the
server receive what a network card would give: packets of wire size, joined by GRO. Processor time is read from the
scheduler, exact to the nanosecond, for the server's processes alone and with its interfaces' receive threads ("+rx").

Needs root, iperf3, ethtool, iproute2, a stock openvpn, and release builds of postern and postern-bench.
"""
import argparse
import contextlib
import glob
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PORT = 1194
TARGET, SERVER, SERVER_INSIDE = '10.7.0.2', '10.9.0.1', '10.8.0.1'
ON_OTHERS = ['taskset', '-c', '1']
# Other work on the machine shall disturb as little as possible: hardly, or, while it is made to stand still, not at all.
FIRST, FIRST_OF_ALL = ['nice', '-n', '-15'], ['chrt', '--fifo', '10']
GRO_TIMEOUT_NS = 20_000


def run(command, check=True):
    """Runs a shell command and returns its output."""
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f'{command}: {done.stderr.strip()}')
    return done.stdout


class Lab:
    """Three hosts in network namespaces, and the credentials for them."""

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.client, self.server, self.target = (f'pb{os.getpid()}-{host}' for host in 'cst')
        self.receive_threads = []
        self.pki = {kind: self.make_pki(kind) for kind in ('ec', 'rsa')}

    def make_pki(self, kind):
        pki, postern = f'{self.directory}/pki-{kind}', f'{self.options.postern} --batch --pki-dir {self.directory}/pki-{kind}'
        run(f'{postern} init-pki; {postern} build-ca nopass --algo {kind}')
        run(f'{postern} build-server-full server nopass --algo {kind}')
        run(f'{postern} build-client-full client nopass --algo {kind}; {postern} gen-crl')
        return pki

    def __enter__(self):
        for host in (self.client, self.server, self.target):
            run(f'ip netns add {host}; ip -n {host} link set lo up')
        self.connect(self.client, SERVER, '10.9.0.2')
        self.connect(self.target, '10.7.0.1', TARGET)
        run(f'ip -n {self.target} route add 10.8.0.0/16 via 10.7.0.1')
        run(f'ip netns exec {self.server} sysctl -q net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0')
        self.pin_receive_threads()
        self.rank_kernel_threads('--fifo', 20)
        return self

    def __exit__(self, *_):
        self.rank_kernel_threads('--other', 0)
        for host in (self.client, self.server, self.target):
            run(f'ip netns del {host}', check=False)

    def connect(self, peer, near, far):
        device = f'{peer[-1]}0'
        run(f'ip link add {device} netns {self.server} type veth peer name e0 netns {peer}')
        for host, name, address in ((self.server, device, near), (peer, 'e0', far)):
            run(f'ip -n {host} address add {address}/24 dev {name}; ip -n {host} link set {name} up')
        near, far = f'ip netns exec {self.server}', f'ip netns exec {peer}'
        run(f'{near} ethtool -K {device} gro on; {near} ethtool -K {device} tx-udp-segmentation off')
        run(f'{near} sh -c "echo 1 > /sys/class/net/{device}/threaded"')
        run(f'{far} ethtool -K e0 gro on; {far} ethtool -K e0 tso off tx-udp-segmentation off gso off', check=False)
        run(f'{far} sh -c "echo 2 > /sys/class/net/e0/queues/rx-0/rps_cpus"')

    def pin_receive_threads(self):
        for path in glob.glob('/proc/[0-9]*/comm'):
            with contextlib.suppress(OSError):
                if re.match(r'napi/[ct]0-', open(path).read()):
                    process = path.split('/')[2]
                    first = 'chrt --fifo --pid 20' if self.options.realtime else 'renice -n -15 -p'
                    run(f'taskset -p 1 {process}; {first} {process}')
                    self.receive_threads.append(process)

    def rank_kernel_threads(self, policy, priority):
        """What the kernel defers for programs with real-time priority must not wait for their end."""
        if self.options.realtime:
            for process in run('pgrep ksoftirqd').split():
                run(f'chrt {policy} --pid {priority} {process}')

    def coalesce(self, is_on):
        """Receive coalescing suits bulk traffic; a lone packet would wait for the next."""
        for device in ('c0', 't0'):
            value = GRO_TIMEOUT_NS if is_on else 0
            path = f'/sys/class/net/{device}/gro_flush_timeout'
            run(f'ip netns exec {self.server} sh -c "echo {value} > {path}"')

    def start(self, host, command, **more):
        where = ['taskset', '-c', self.options.server_processors] if host == self.server else ON_OTHERS
        rank = FIRST_OF_ALL if self.options.realtime else FIRST
        return subprocess.Popen(['ip', 'netns', 'exec', host, *rank, *where, *command], text=True, **more)

    def bench(self, host, *arguments, pki='ec', is_client=True):
        """Starts the load generator."""
        directory = self.pki[pki]
        credentials = ['--server', f'{SERVER}:{PORT}', '--server-cert', f'{directory}/issued/server.crt',
                       '--cert', f'{directory}/issued/client.crt', '--key', f'{directory}/private/client.key']
        words = [self.options.bench, *map(str, arguments), *(credentials if is_client else [])]
        return self.start(host, words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def ready(process):
    """Waits until the load generator says that it begins; returns what it says with that."""
    words = process.stdout.readline().split()
    if not words or words[0] != 'READY':
        raise RuntimeError(f'the load generator did not get ready: {words}')
    return words[1:]


def result(process):
    """The result of the load generator, which ends by itself or with its input."""
    return json.loads(process.communicate(input='')[0].strip().splitlines()[-1])


class Server:
    """A server under test."""

    def __init__(self, lab, name, pki='ec'):
        self.lab, self.name, self.pki = lab, name, pki
        self.log = open(f'{lab.directory}/{name}.log', 'a')
        self.process = lab.start(lab.server, self.command(), stdout=self.log, stderr=self.log)
        deadline = time.time() + 20
        while not self.is_ready():
            if time.time() > deadline or self.process.poll() is not None:
                raise RuntimeError(f'{name} does not start, see {self.log.name}')
            time.sleep(0.05)

    def command(self):
        directory = self.lab.pki[self.pki]
        files = ['--ca', f'{directory}/ca.crt', '--cert', f'{directory}/issued/server.crt',
                 '--key', f'{directory}/private/server.key']
        if self.name.startswith('postern'):
            networks = [word for network in ('10.7.0.0/24', '10.8.0.0/16') for word in ('--authorize', network)]
            return [self.lab.options.postern, 'serve', *files, '--crl', f'{directory}/crl.pem',
                    '--listen', f'udp:0.0.0.0:{PORT}', '--tun', 'pbtun', '--client-cidr', '10.8.0.0/16',
                    '--route', '10.7.0.0/24', *networks, '--split-tunnel', '--no-nat', '--duplicate-cn', '30000',
                    '--max-sessions', '30000', '--keepalive', '10,120', '--max-half-open', '4096',
                    '--max-half-open-per-network', '4096', '--replies-per-network', '100000',
                    '--state-dir', f'{self.lab.directory}/state', '--log-level', 'warn']
        tuned = ['--fast-io', '--txqueuelen', '1000', '--sndbuf', '4194304', '--rcvbuf', '4194304']
        return [self.lab.options.openvpn, '--mode', 'server', '--tls-server', '--dev', 'pbtun', '--dev-type', 'tun',
                '--topology', 'subnet', '--server', '10.8.0.0', '255.255.0.0', '--proto', 'udp', '--port', str(PORT),
                *files, '--dh', 'none', '--crl-verify', f'{directory}/crl.pem', '--data-ciphers', 'AES-256-GCM',
                '--keepalive', '10', '120', '--max-clients', '30000', '--duplicate-cn', '--disable-dco',
                '--connect-freq-initial', '1000000', '1', '--push', 'route 10.7.0.0 255.255.255.0',
                '--status', '/dev/null', '--verb', '1', *(tuned if self.name == 'openvpn-tuned' else [])]

    def is_ready(self):
        listens = f':{PORT} ' in run(f'ip netns exec {self.lab.server} ss -uHln', check=False)
        return listens and SERVER_INSIDE in run(f'ip -n {self.lab.server} -o address', check=False)

    def seconds(self):
        """Processor time of the server, and of the receive threads of its interfaces."""
        own = processor_seconds(self.process.pid)
        return own, sum(processor_seconds(thread) for thread in self.lab.receive_threads)

    def resident_kib(self):
        return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{self.process.pid}/status').read()).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def processor_seconds(process):
    total = 0
    for path in glob.glob(f'/proc/{process}/task/*/schedstat'):
        with contextlib.suppress(OSError, ValueError):
            total += int(open(path).read().split()[0])
    return total / 1e9


class Meter:
    """Processor time from its making to its reading."""

    def __init__(self, server):
        self.server, self.before, self.begun = server, server.seconds(), time.time()

    def read(self):
        own, receive = (after - before for after, before in zip(self.server.seconds(), self.before))
        return own, own + receive, time.time() - self.begun


@contextlib.contextmanager
def large_buffers(octets):
    """Lets programs have receive buffers of so many octets; the limit is one for all namespaces."""
    name = '/proc/sys/net/core/rmem_max'
    limit = open(name).read()
    try:
        if octets:
            open(name, 'w').write(str(max(octets, int(limit))))
        yield
    finally:
        open(name, 'w').write(limit)


@contextlib.contextmanager
def stock_client(lab, server):
    """A stock client with a tunnel."""
    directory = lab.pki['ec']
    words = [lab.options.openvpn, '--client', '--dev', 'vpn0', '--dev-type', 'tun', '--proto', 'udp',
             '--remote', SERVER, str(PORT), '--nobind', '--ca', f'{directory}/ca.crt',
             '--cert', f'{directory}/issued/client.crt', '--key', f'{directory}/private/client.key',
             '--remote-cert-tls', 'server', '--data-ciphers', 'AES-256-GCM', '--disable-dco', '--verb', '1']
    if lab.options.client_buffer:
        words += ['--rcvbuf', str(lab.options.client_buffer)]
    with open(f'{lab.directory}/client.log', 'a') as log:
        client = lab.start(lab.client, words, stdout=log, stderr=log)
        try:
            for _ in range(100):
                if not subprocess.run(f'ip netns exec {lab.client} ping -c1 -W1 {TARGET}', shell=True,
                                      capture_output=True).returncode:
                    break
            else:
                raise RuntimeError(f'the client of {server.name} does not connect')
            yield
        finally:
            client.terminate()
            client.wait()


def measure_tcp(lab, server, record):
    # Both ends share a processor with the client, which they must not keep from running.
    iperf3 = ['chrt', '--other', '0', *FIRST, 'iperf3']
    listener = lab.start(lab.target, [*iperf3, '-s'], stdout=subprocess.DEVNULL)
    try:
        with stock_client(lab, server):
            for direction, flag in (('up', []), ('down', ['-R'])):
                time.sleep(0.3)
                meter = Meter(server)
                words = [*iperf3, '-c', TARGET, '-t', str(lab.options.seconds), '-J', *flag]
                report = json.loads(lab.start(lab.client, words, stdout=subprocess.PIPE).communicate()[0])
                own, with_receive, _ = meter.read()
                received = report['end']['sum_received']
                gib = received['bytes'] / 2**30
                record(f'TCP {direction}, server CPU s/GiB', own / gib)
                record(f'TCP {direction}, server CPU +rx s/GiB', with_receive / gib)
                record(f'TCP {direction}, Gbit/s', received['bits_per_second'] / 1e9, more_is_better=True)
    finally:
        listener.terminate()
        listener.wait()


def send_up(lab, size, rate, burst, seconds):
    """UDP through tunnels to the target: (sent, arrived, processor time)."""
    sink = lab.bench(lab.target, 'sink', '--seconds', seconds + 2.5, is_client=False)
    ready(sink)
    sender = lab.bench(lab.client, 'upload', '--sessions', 8, '--target', TARGET, '--size', size, '--rate', rate,
                       '--burst', burst, '--seconds', seconds)
    ready(sender)
    meter = Meter(lab.current)
    sent = result(sender)
    reading = meter.read()
    return sent['sent'], result(sink)['packets'], sent['seconds'], reading


def send_down(lab, size, rate, burst, seconds):
    """UDP from the target to clients: the same."""
    receiver = lab.bench(lab.client, 'download', '--sessions', 8, '--seconds', seconds + 1)
    addresses = ready(receiver)[0]
    time.sleep(0.2)
    meter = Meter(lab.current)
    sent = result(lab.bench(lab.target, 'blast', '--targets', addresses, '--size', size, '--rate', rate,
                            '--burst', burst, '--seconds', seconds, is_client=False))
    reading = meter.read()
    return sent['sent'], result(receiver)['packets'], sent['seconds'], reading


WAYS = {'up': send_up, 'down': send_down}


def measure_cost(lab, server, record):
    """Processor time per packet at a rate far below saturation."""
    for direction, send in WAYS.items():
        for size in (1400, 100):
            _, arrived, _, (own, with_receive, _) = send(lab, size, lab.options.rate, 1, lab.options.seconds)
            record(f'UDP {direction} {size} B, server us/packet', own / max(arrived, 1) * 1e6)
            record(f'UDP {direction} {size} B, server +rx us/packet', with_receive / max(arrived, 1) * 1e6)


def measure_rate(lab, server, record):
    """The highest rate with less than 1 % loss, by bisection."""
    for direction, send in WAYS.items():
        for size in (64, 1400):
            low, high, best, rate = 8e3, None, 0.0, 50e3
            for _ in range(lab.options.steps):
                sent, arrived, seconds, _ = send(lab, size, rate, 8, 1.2)
                actual = sent / seconds
                if arrived > 0.99 * sent and actual > 0.93 * rate:
                    best = low = actual
                else:
                    high = rate
                rate = low * 1.8 if high is None else (low * high) ** 0.5
            record(f'UDP {direction} {size} B, kpps with < 1 % loss', best / 1e3, more_is_better=True)


def measure_latency(lab, server, record):
    """An echo through the tunnel: alone, beside traffic that a stock server bears well or hardly, beside handshakes."""
    def upload(times):
        return ('upload', '--sessions', 4, '--target', TARGET, '--rate', times * lab.options.rate, '--burst', 4,
                '--seconds', 6)

    loads = {'idle': None, 'under load': upload(1), 'under four times the load': upload(4),
             'beside 200 handshakes/s': ('handshakes', '--concurrency', 32, '--rate', 200, '--seconds', 6)}
    for name, arguments in loads.items():
        load = arguments and lab.bench(lab.client, *arguments)
        if load:
            ready(load)
        times = result(lab.bench(lab.client, 'ping', '--sessions', 1, '--target', TARGET, '--count', 600))
        if load:
            result(load)
        record(f'echo {name}, p50 us', times['p50_ms'] * 1e3)
        record(f'echo {name}, p99 us', times['p99_ms'] * 1e3)


def shake_hands(lab, server, record, name, *more, pki='ec'):
    clients = lab.bench(lab.client, 'handshakes', '--concurrency', 32, '--seconds', lab.options.seconds, *more, pki=pki)
    ready(clients)
    meter = Meter(server)
    outcome = result(clients)
    own, _, _ = meter.read()
    record(f'handshakes {name}, per second', outcome['per_second'], more_is_better=True)
    record(f'handshakes {name}, server ms each', own / max(outcome['completed'], 1) * 1e3)
    record(f'handshakes {name}, failed', outcome['failed'])


def measure_handshakes(lab, server, record):
    shake_hands(lab, server, record, 'P-256 TLS 1.3')


def measure_tls12(lab, server, record):
    """With a server of its own: a stock one remembers clients that left, and is slower the more they are."""
    shake_hands(lab, server, record, 'P-256 TLS 1.2', '--tls12')


def measure_handshake_latency(lab, server, record):
    """From a client's first packet to its tunnel, at a rate that keeps no server busy: alone, and beside traffic."""
    def times(name):
        outcome = result(lab.bench(lab.client, 'handshakes', '--concurrency', 8, '--rate', 20,
                                   '--seconds', 3 * lab.options.seconds))
        record(f'handshake {name}, p50 ms', outcome['p50_ms'])
        record(f'handshake {name}, p99 ms', outcome['p99_ms'])
        record(f'handshake {name}, failed', outcome['failed'])

    times('idle')
    load = lab.bench(lab.client, 'upload', '--sessions', 4, '--target', TARGET, '--rate', 2 * lab.options.rate,
                     '--burst', 4, '--seconds', 3 * lab.options.seconds + 3)
    ready(load)
    times('under load')
    result(load)


def measure_rsa(lab, server, record):
    shake_hands(lab, server, record, 'RSA-2048 TLS 1.3', pki='rsa')


def measure_storm(lab, server, record):
    """What is left of established traffic while 500 clients per second connect."""
    rate = 4 * lab.options.rate
    _, calm, calm_seconds, _ = send_up(lab, 1400, rate, 8, lab.options.seconds)
    storm = lab.bench(lab.client, 'handshakes', '--concurrency', 64, '--rate', 500, '--seconds', lab.options.seconds + 4)
    ready(storm)
    _, rough, rough_seconds, _ = send_up(lab, 1400, rate, 8, lab.options.seconds)
    record('traffic kept during 500 handshakes/s, %', 100 * rough / rough_seconds / max(calm / calm_seconds, 1),
           more_is_better=True)
    record('handshakes/s beside traffic', result(storm)['per_second'], more_is_better=True)


def measure_memory(lab, server, record):
    sessions = lab.options.sessions
    holder = lab.bench(lab.client, 'hold', '--sessions', sessions, '--concurrency', 32, '--process', server.process.pid)
    ready(holder)
    meter = Meter(server)
    time.sleep(10)
    own, _, seconds = meter.read()
    record(f'idle CPU with {sessions} sessions, %', own / seconds * 100)
    held = result(holder)
    record(f'memory per idle session of {sessions}, KiB', held['kib_per_session'])


MEASUREMENTS = {'tcp': measure_tcp, 'cost': measure_cost, 'rate': measure_rate, 'latency': measure_latency,
                'handshakes': measure_handshakes, 'handshake-latency': measure_handshake_latency, 'tls12': measure_tls12,
                'rsa': measure_rsa, 'storm': measure_storm, 'memory': measure_memory}
WITH_COALESCING = {'tcp', 'cost', 'rate', 'storm'}


class Results:
    """All figures of a run."""

    def __init__(self):
        self.figures, self.better = {}, {}

    def recorder(self, server):
        def record(name, value, more_is_better=False):
            self.figures.setdefault(name, {}).setdefault(server, []).append(value)
            self.better[name] = more_is_better
            print(f'  {server:14} {name:48} {value:.4g}', file=sys.stderr, flush=True)
        return record

    def table(self, servers):
        reference, others = servers[0], servers[1:]
        yield '| measure | ' + ' | '.join(servers) + ' | ' + ' | '.join(f'{name} / {reference}' for name in others) + ' |'
        yield '|---' * (1 + len(servers) + len(others)) + '|'
        for name, by_server in self.figures.items():
            medians = [statistics.median(by_server.get(server, [float('nan')])) for server in servers]
            cells = [f'{median:.4g} ({min(by_server[server]):.3g}-{max(by_server[server]):.3g})'
                     if server in by_server else '-' for server, median in zip(servers, medians)]
            ratios = [f'{median / medians[0]:.2f}' if medians[0] else '-' for median in medians[1:]]
            arrow = ' (more is better)' if self.better[name] else ''
            yield f'| {name}{arrow} | ' + ' | '.join(cells + ratios) + ' |'


def measure(lab, name, server_name, results):
    server = Server(lab, server_name, pki='rsa' if name == 'rsa' else 'ec')
    lab.current = server
    try:
        MEASUREMENTS[name](lab, server, results.recorder(server_name))
    finally:
        server.stop()


def surroundings(options):
    yield f'- Machine: {os.cpu_count()} processors, {processor_name()}; kernel {os.uname().release}'
    yield f'- {run(options.openvpn + " --version", check=False).splitlines()[0]}'
    yield f'- {run(options.postern + " --version").strip()}, {options.rounds} rounds, {options.seconds} s each'
    yield f'- Load average at the end: {os.getloadavg()[0]:.1f}'


def processor_name():
    match = re.search(r'model name\s*:\s*(.*)', open('/proc/cpuinfo').read())
    return match.group(1) if match else 'unknown processor'


def release_directory():
    return f'{os.environ.get("CARGO_TARGET_DIR", ROOT + "/target")}/release'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = release_directory()
    parser.add_argument('--postern', default=f'{release}/postern')
    parser.add_argument('--bench', default=f'{release}/postern-bench')
    parser.add_argument('--openvpn', default='openvpn')
    parser.add_argument('--servers', default='openvpn,openvpn-tuned,postern', help='the first is the reference')
    parser.add_argument('--measure', default=','.join(MEASUREMENTS))
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=float, default=4)
    parser.add_argument('--rate', type=float, default=12_000, help='packets per second where a fixed rate is measured')
    parser.add_argument('--steps', type=int, default=8, help='steps of a search for the highest rate')
    parser.add_argument('--realtime', action='store_true', help='with real-time priority: other work stands still meanwhile')
    parser.add_argument('--server-processors', default='0', help='processors of the server: 0, or 0,1 for two workers')
    parser.add_argument('--client-buffer', type=int, help='octets of the receive buffer of stock clients')
    parser.add_argument('--sessions', type=int, default=2000, help='idle sessions')
    return parser.parse_args()


def raise_priority():
    """Niceness counts within a group of the scheduler only, so that the group has to rise too."""
    with contextlib.suppress(OSError), open('/proc/self/autogroup', 'w') as group:
        group.write('-12')


def main():
    options, results = arguments(), Results()
    raise_priority()
    # Ended from outside, too, it takes back what it set up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    servers, names = options.servers.split(','), options.measure.split(',')
    with (tempfile.TemporaryDirectory(prefix='postern-bench-') as directory, Lab(options, directory) as lab,
          large_buffers(options.client_buffer)):
        for number in range(options.rounds):
            for name in names:
                lab.coalesce(name in WITH_COALESCING)
                for server in servers if number % 2 == 0 else servers[::-1]:
                    try:
                        measure(lab, name, server, results)
                    except (RuntimeError, ValueError, KeyError, IndexError) as error:
                        print(f'  {server} {name}: {error}', file=sys.stderr, flush=True)
    print('\n'.join(results.table(servers)))
    print()
    print('\n'.join(surroundings(options)))


if __name__ == '__main__':
    main()
