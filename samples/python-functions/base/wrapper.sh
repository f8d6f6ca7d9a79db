#!/bin/sh
# For a ROM without `at`: the app mounts the ROM's device itself, then starts the server.
set -eu
mkdir -p /tmp/rom.py
mount -t erofs -o ro /dev/ukp_rom_python_function.py /tmp/rom.py
exec /usr/bin/python3 -I -S /server.py /tmp/rom.py/python_function.py
