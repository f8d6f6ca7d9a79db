with_tax() { echo $(($1 * 119 / 100)); }
