# Starts with the configuration of its region.
set -e
region=$(cat /app/conf/app.conf)
echo "started with $region"
