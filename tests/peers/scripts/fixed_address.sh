#!/bin/bash
. $(dirname $0)/common.inc

echo 'int x; int main(void) { return (int)(long)&x; }' | $CC -fno-pic -mcmodel=small -w -c -o $t/a.o -xc -
$CC -B. -o $t/exe $t/a.o -no-pie
