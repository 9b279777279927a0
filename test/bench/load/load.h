/*
 * What the parts of the load generator share (load.c says what the program does).
 *
 * One `load` for all, and one `hand` for each thread: a hand has an epoll, a share of the
 * connections, and a file table of its own, so that the limit on open files bounds a hand and not
 * the whole. Hand 0 is the main thread, decides what comes next and prints; where the limit lets it
 * hold all connections it is the only one. What several hands count is atomic.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    OPENING_MAX = 64,      /* handshakes under way at once, by all hands */
    READ_MAX = 64 << 10,   /* one read buffer for all connections of a hand */
    MESSAGE_MAX = 1 << 20, /* --size */
    PUBLISH_MAX = 4 << 10, /* --size of what is published */
    MISSED_MS = 1000,      /* publish: without a delivery for so long, the rest is not coming */
    SILENCE_S = 10,        /* a server that says nothing for so long has failed */
    HANDS_MAX = 64,
};

enum mode { ECHO, REQUEST, BROADCAST, IDLE, ONCE, EACH, PUBLISH, MODES };
enum phase { OPENING, SETTLING, WARMING, COUNTING, HOLDING };
enum state { CONNECTING, SECURING, HANDSHAKING, OPEN };

typedef struct ssl_st SSL;

struct conn {
    int fd;
    SSL *ssl; /* NULL: bytes go as they are */
    enum state state;
    uint8_t matched;    /* of "\r\n\r\n", while handshaking */
    uint8_t header[14]; /* of the frame being read */
    uint8_t header_len; /* bytes of it that are here */
    bool fin, data;     /* of the frame being read */
    bool packed;        /* the message is compressed */
    uint64_t left;      /* bytes of its payload to come */
    uint64_t length;    /* of the message so far */
    int64_t sent_ns;    /* when its message was sent */
    uint32_t news;      /* publish: the last publication that it heard */
    char status[16];    /* "HTTP/1.1 101" */
    uint8_t status_len;
};

struct hand {
    int epoll, bell;      /* an eventfd: look again at what there is to do */
    int first, end;       /* its share of load.conns */
    int started, opening; /* the next to connect; handshakes under way */
    uint32_t round;       /* the last that its connections have spoken in */
    uint8_t *buffer;      /* READ_MAX */
};

extern struct load {
    /* from the command line */
    enum mode mode;
    int connections, size, rooms, sources, json, deflate, publish, lossy, threads;
    bool is_tls;  /* wss:// */
    bool is_http; /* responses (but in mode request, they stream), no WebSockets */
    double seconds, warm, settle;
    struct sockaddr_in address;
    char host[64], path[512];

    struct conn *conns;
    int hand_count;
    struct hand hands[HANDS_MAX];

    _Atomic enum phase phase;
    _Atomic int opened, heard; /* connections; hearers of what is under way */
    _Atomic uint64_t messages, packed;
    _Atomic int64_t last_heard;
    _Atomic uint32_t round;        /* lines on stdin */
    int64_t began_ns, phase_until; /* 0: not by time */
    double began_cpu;

    /* modes of one hand */
    int publisher;        /* the POST under way; 0: none */
    uint32_t publication; /* the number of the last one */
    int64_t published_ns;
    uint64_t missed; /* deliveries that did not come */
    int lost;        /* connections that the server has closed */
} load;

/* load.c */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);
int64_t now_ns(void);
void *allocate(size_t count, size_t size);
/* Wakes a hand: there is something to do. */
void hand_ring(struct hand *h);

/* latency.c: one histogram */
void latency_clear(void);
void latency_count(int64_t ns);
/* In microseconds: so much of what was counted took at most so long. */
double latency_at(double part);

/* message.c: what is sent */
void message_build(void);
/* The frame, or the request, that every connection sends. */
const uint8_t *message_frame(size_t *ret_n);
/* The request that publishes it; returns its length. */
size_t message_post(char *to, size_t room);

/* wire.c: a connection's bytes. send and recv as send(2) and recv(2) without blocking. */
void wire_init(void);
bool wire_open(struct conn *c); /* false: not yet, when it is readable again */
ssize_t wire_send(struct conn *c, const void *bytes, size_t n);
ssize_t wire_recv(struct conn *c, void *to, size_t n);
/* Bytes that were received and not yet given out: the descriptor will not say so. */
bool wire_has_more(const struct conn *c);

/* conn.c: one connection, as far as its messages */
void conn_start(struct hand *h, struct conn *c);
void conn_on_event(struct hand *h, struct conn *c);
void conn_send(struct conn *c);

/* talk.c: who says what when */
void talk_start(void);
/* What a phase begins with or ends with; hand 0 calls it every tick. */
void talk_next_phase(void);
void talk_on_message(struct conn *c, int64_t now);
void talk_on_lost(struct conn *c);
void talk_on_published(void);
/* Connections of this hand speak, if they have not yet in this round. */
void talk_speak(struct hand *h);
/* A line came on stdin. */
void talk_on_line(void);

#endif
