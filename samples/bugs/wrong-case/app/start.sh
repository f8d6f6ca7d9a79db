# The shop's start: says in which currency its prices are.
set -e
currency=$(cat /etc/shop/Currency)
echo "prices are in $currency"
