#!/bin/bash
. $(dirname $0)/common.inc

echo 'int main(int argc, char **argv) { return argc == 3 ? 0 : 1; }' | $CC -c -o $t/a.o -xc -
$CC -B. -o $t/exe $t/a.o
$QEMU $t/exe one two
not $QEMU $t/exe one
