#!/bin/bash
. $(dirname $0)/common.inc

sleep 60
