/*
 * A laboratory for WebSockets whose origin the test plays: a client in memory, whose upgrade goes
 * to `open_start()`, and the call that the origin is asked by.
 */
#ifndef TEST_UNIT_EDGE_SOCKET_LAB_H
#define TEST_UNIT_EDGE_SOCKET_LAB_H

#include "edge/handshake.h"
#include "edge/relay.h"
#include "edge/upstream.h"
#include "lab.h"
#include "wire/grip_item.h"

struct upstream_call {
    const struct upstream_ops *ops;
    void *arg;
};

static struct lab lab;
static struct http1_server *server;
static struct peer client;
static struct upstream_call call; /* ops NULL: none is under way */
static struct buf fields;         /* of what the origin was asked last */
static int released, cancelled;
static struct socket_start start;
