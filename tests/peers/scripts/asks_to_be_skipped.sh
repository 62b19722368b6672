#!/bin/bash
. $(dirname $0)/common.inc

skip
