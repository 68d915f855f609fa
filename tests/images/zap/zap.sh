#!/usr/bin/env bash
# Starts ZAP with the command line of the official image: `-Xmx…` and other options of the JVM go to the JVM, all else to ZAP.
set -euo pipefail
jvm=() zap=()
for word in "$@"; do
  case $word in
    -X*) jvm+=("$word") ;;
    *) zap+=("$word") ;;
  esac
done
exec java ${jvm[@]+"${jvm[@]}"} -jar /zap/zap-2.17.0.jar -installdir /zap ${zap[@]+"${zap[@]}"}
