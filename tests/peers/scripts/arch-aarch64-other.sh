#!/bin/bash
. $(dirname $0)/common.inc

false
