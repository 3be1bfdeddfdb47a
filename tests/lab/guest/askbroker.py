#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""In the place of a filter: hands each line that a client sends (fd 3) to the broker (fd 4), and back its answer."""
import os
import socket

client = socket.socket(fileno=3)
broker = socket.socket(fileno=4)
for sock in client, broker:
    sock.setblocking(True)
for line in client.makefile("r"):
    broker.send(line.rstrip("\n").encode())
    answer = broker.recv(16384)
    if not answer:
        break                                        # the broker has had enough
    client.sendall(answer + b"\n")
os._exit(0)
