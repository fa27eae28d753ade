#!/bin/sh
# Reads the whole body and tells what came, for Apache.Upload's readers.
digest=$(sha256sum)
printf 'Content-Type: text/plain\r\n\r\n'
printf '%s %s %s\n' "$REMOTE_USER" "$REQUEST_METHOD" "${digest%% *}"
