#!/bin/bash
. $(dirname $0)/common.inc

echo 'int main(void) { return 0; }' | $CC -c -o $t/a.o -xc -
$CC -B. -o $t/exe $t/a.o
readelf -h $t/exe > $t/log
