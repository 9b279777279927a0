#!/usr/bin/env bash
# A wall that everybody sees and writes on, in plain bash: `nc` accepts, bash answers, Holdfast holds.
#
#   ./origin.sh 3000 &
#   holdfast serve --route '* localhost:3000,over_http'
#
# GET /     what is written from now on, as an event stream     POST /    writes on the wall
# GET /ws   the same for a WebSocket: it reads and writes
#
# nc has one connection at a time, and every answer ends it; the next one waits in the kernel. For a machine that is more
# than an example, use a real server: what is said here stays the same.
export LC_ALL=C # lengths are bytes

port=${1:-3000} control=${2:-5561}

# The line in front, without its line break, in $line.
read_line() {
    IFS= read -r line && line=${line%$'\r'}
}

# Sets $method, $path, $type and $body.
read_request() {
    local length=0

    read_line || return 1
    read -r method path _ <<<"$line"
    type='' body=''
    while read_line && [ "$line" ]; do
        case ${line,,} in
        content-length:*) length=$((${line#*:})) ;;
        content-type:*) type=${line#*: } ;;
        esac
    done
    [ "$length" = 0 ] || IFS= read -r -d '' -N "$length" body
}

# answer BODY [FIELD…]
answer() {
    local text=$1
    shift
    printf 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n' ${#text}
    printf '%s\r\n' "$@" ''
    printf '%s' "$text"
}

# A text as JSON has it.
quote() {
    local text=${1//\\/\\\\}

    text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\r'/\\r} text=${text//$'\t'/\\t}
    printf '"%s"' "$text"
}

# Sends a text to everyone at the wall: one POST.
publish() {
    local item

    item="{\"items\":[{\"channel\":\"wall\",\"formats\":{\"http-stream\":{\"content\":$(quote "data: ${1//$'\n'/$'\n'data: }"$'\n\n')},\"ws-message\":{\"content\":$(quote "$1")}}}]}"
    {
        printf 'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' ${#item} "$item" >&3
        read_line <&3 # 200: it was taken
    } 3<>"/dev/tcp/127.0.0.1/$control"
}

# A WebSocket's events, out of $body: "NAME\r\n", or "NAME LENGTH-IN-HEX\r\nCONTENT\r\n".
answer_events() {
    local out='' subscribe='c:{"type":"subscribe","channel":"wall"}' event name length content

    while [ "$body" ]; do
        event=${body%%$'\r\n'*} body=${body#*$'\r\n'}
        read -r name length <<<"$event"
        content=${body:0:$((16#${length:-0}))}
        [ -z "$length" ] || body=${body:$((${#content} + 2))}
        case $name in
        OPEN) printf -v out 'OPEN\r\nTEXT %x\r\n%s\r\n' ${#subscribe} "$subscribe" ;;
        TEXT) publish "$content" ;;
        CLOSE) printf -v out '%s%s\r\n' "$out" "$name${length:+ $length$'\r\n'$content}" ;;
        esac
    done
    answer "$out" 'Content-Type: application/websocket-events' 'Sec-WebSocket-Extensions: grip; message-prefix=""'
}

answer_request() {
    if [[ $type == application/websocket-events* ]]; then
        answer_events
    elif [ "$method" = POST ]; then
        publish "$body"
        answer $'written\n' 'Content-Type: text/plain'
    else
        answer $'data: welcome\n\n' 'Content-Type: text/event-stream' 'Grip-Hold: stream' 'Grip-Channel: wall' \
            'Grip-Keep-Alive: :\n\n; format=cstring; timeout=20'
    fi
}

coproc NC { exec nc -lk 127.0.0.1 "$port"; }
trap 'kill "$NC_PID"' EXIT
trap 'exit 0' TERM INT

while read_request; do
    answer_request
done <&"${NC[0]}" >&"${NC[1]}"
