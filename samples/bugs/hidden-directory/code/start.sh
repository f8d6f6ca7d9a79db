# The till's second version.
. /till/lib/tax.sh
echo "version 2: 100 become $(with_tax 100)"
