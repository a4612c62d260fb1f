"""A line with a delay: forwards frames between two interfaces after this many ms. For
kernels without sch_netem.

    line.py INTERFACE INTERFACE MILLISECONDS
"""
import heapq
import select
import socket
import sys
import time

ETH_P_ALL = 3
# the type of a packet that leaves through the interface: one of our own
PACKET_OUTGOING = 4
MAX_FRAME = 65_536

names, delay = sys.argv[1:3], float(sys.argv[3]) / 1000
ends = []

for name in names:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind((name, 0))
    end.setblocking(False)
    ends.append(end)

other = dict(zip(ends, reversed(ends)))
# due time, order of arrival, destination, frame
in_flight = []
count = 0
print('{"event": "ready"}', flush=True)

while True:
    timeout = max(0, in_flight[0][0] - time.monotonic()) if in_flight else None

    # the standard input ends with the laboratory
    for readable in select.select([*ends, sys.stdin], [], [], timeout)[0]:
        if readable is sys.stdin:
            sys.exit()

        try:
            while True:
                frame, address = readable.recvfrom(MAX_FRAME)

                if address[2] != PACKET_OUTGOING:
                    heapq.heappush(in_flight, (time.monotonic() + delay, count, other[readable], frame))
                    count += 1
        except BlockingIOError:
            pass

    while in_flight and in_flight[0][0] <= time.monotonic():
        _, _, end, frame = heapq.heappop(in_flight)

        try:
            end.send(frame)
        except OSError:
            # an interface that is down loses frames, as a line does
            pass
