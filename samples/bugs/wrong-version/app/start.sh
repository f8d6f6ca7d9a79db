# Reads the rules; since version 2 there are limits among them.
set -e
limit=$(cat /rules/limits/orders)
echo "$limit orders a minute"
