#!/bin/sh
# The code, from an image ROM; its mode came along.
echo "$GREETING, $(cat /config/name)!"
echo "key: $(od -An -tx1 /config/keys/session.bin | tr -d ' \n')"
