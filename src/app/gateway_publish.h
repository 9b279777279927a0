/* `holdfast publish`: one item to a gateway's control address or ZeroMQ socket, as pushpin-publish
 * sends it. */
#ifndef APP_GATEWAY_PUBLISH_H
#define APP_GATEWAY_PUBLISH_H

#include "app/gateway_options.h"

/* Runs the command. Prints the gateway's answer; returns what the program exits with. */
int gateway_publish(const struct options *o);

#endif
