# Writes the shop's page, and serves it.
currency=$(cat /etc/shop/currency) || exit 3
mkdir -p /www
echo "<!doctype html><title>Shop</title><h1>The shop is open</h1><p>We take $currency.</p>" >/www/index.html
exec httpd -f -p 8088 -h /www
