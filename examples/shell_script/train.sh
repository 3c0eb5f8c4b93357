#!/bin/sh
# Stands for any program: a value that grows with each pass, as fast as the rate says. It prints a JSON object a pass.
rate=$1
passes=$2
score=0
pass=1
while [ "$pass" -le "$passes" ]; do
    score=$(awk "BEGIN { print $score + $rate * (1 - $score) }")
    echo "{\"epoch\": $pass, \"score\": $score}"
    pass=$((pass + 1))
done
