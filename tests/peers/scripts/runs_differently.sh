#!/bin/bash
. $(dirname $0)/common.inc

echo 'int main(void) { return 3; }' | $CC -c -o $t/a.o -xc -
$CC -B. -o $t/exe $t/a.o
$QEMU $t/exe
