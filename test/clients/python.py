"""A Binding by nothing but sockets, over TCP or TLS: prints the local address and
the one that the server saw, as JSON."""
import json
import os
import socket
import ssl
import struct
import sys

COOKIE = 0x2112A442


def read(stream, length):
    data = b''
    while len(data) < length:
        part = stream.recv(length - len(data))
        if not part:
            sys.exit('the connection ended')
        data += part
    return data


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    stream = socket.create_connection((host, port), timeout=10)
    if len(sys.argv) > 3:
        stream = ssl.create_default_context(cafile=sys.argv[3]).wrap_socket(stream, server_hostname='localhost')

    seen = []
    for _ in range(2):
        transaction = os.urandom(12)
        stream.sendall(struct.pack('!HHI', 1, 0, COOKIE) + transaction)
        kind, length, cookie = struct.unpack('!HHI', read(stream, 8))
        assert (kind, cookie) == (0x0101, COOKIE) and read(stream, 12) == transaction
        body = read(stream, length)
        while body:
            code, size = struct.unpack('!HH', body[:4])
            value, body = body[4:4 + size], body[4 + size + -size % 4:]
            if code == 0x0020:
                _, family, mapped = struct.unpack('!BBH', value[:4])
                key = struct.pack('!I', COOKIE) + transaction
                address = bytes(a ^ b for a, b in zip(value[4:], key))
                seen.append([socket.inet_ntop(socket.AF_INET if family == 1 else socket.AF_INET6, address), mapped ^ COOKIE >> 16])

    print(json.dumps({'local': list(stream.getsockname()[:2]), 'seen': seen}))


main()
