#!/bin/sh
# The app: it came in the ROM, the base image has only busybox.
echo "Hello from a ROM!"
echo "I am $0 on $(uname -n), and the ROM is:"
grep ' /rom ' /proc/mounts
