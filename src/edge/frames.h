/*
 * Which part of an edge a worker's frame is for: inbound.c (the requests it answers), outbound.c
 * (those it makes), sockets.c (holds and actors), delivery.c (events), or the fleet.
 */
#ifndef EDGE_FRAMES_H
#define EDGE_FRAMES_H

#include "edge/link.h"

extern const struct link_ops frames_ops;

#endif
