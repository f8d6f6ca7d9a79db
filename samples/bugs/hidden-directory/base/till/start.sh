# The till's first version, which is part of the image.
. /till/lib/tax.sh
echo "100 become $(with_tax 100)"
