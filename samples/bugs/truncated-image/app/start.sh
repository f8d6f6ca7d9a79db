# Counts the articles of the catalog, shelf by shelf.
set -e
for shelf in /catalog/*; do
    articles=$(cat "$shelf")
    echo "$shelf: $(echo "$articles" | wc -l) articles"
done
