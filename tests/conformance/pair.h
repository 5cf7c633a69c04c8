/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What most cases begin with: a server with a channel, a client with a
 * connection to it, and buffers that both see.
 */
#ifndef CONFORMANCE_PAIR_H
#define CONFORMANCE_PAIR_H

#include <stdint.h>
#include <sys/neutrino.h>

#include "actor.h"
#include "arena.h"
#include "suite.h"

#define ROOM 4096

struct pair {
	struct actor *server, *client;
	int chid, coid;
	uint32_t nd;		/* the server's node, as the client numbers it */
	char *in;		/* what the server receives: ROOM bytes */
	char *reply;		/* what the client receives: ROOM bytes */
	struct _pulse *pulse;	/* the same memory as in */
	struct _msg_info *info;	/* of what was received last */
};

/* A server with a channel that has these flags, and a client of it. */
struct pair pair_up(unsigned flags);
/* The same with actors that are there already. */
struct pair pair_of(struct actor *server, struct actor *client, unsigned flags);

/* A channel; a side-channel connection of any actor to a channel on a node. */
int new_channel(struct actor *owner, unsigned flags);
int attach(struct actor *actor, uint32_t nd, struct actor *server, int chid);
/* The same connection again, for another actor or thread on the client's node. */
struct pair pair_with_client(const struct pair *pair, struct actor *client);

/* The other side's node, as this side numbers it: 0 when both are one. */
uint32_t node_seen_by(struct actor *actor, enum side actors_side);

/* The client begins to send `size` bytes at `bytes`, with ROOM bytes for a reply. */
void begin_send(const struct pair *pair, const void *bytes, size_t size);
/* The server receives a message: its rcvid. */
int receive(const struct pair *pair);
/* The client sends a word, and the server has received it: the rcvid. */
int hold(const struct pair *pair);
/* The server answers with a status alone, and the client's send returns that. */
void answer(const struct pair *pair, int rcvid, int status);
/* A message there and back, which needs everything to be well. */
void works(const struct pair *pair);

/* The server receives a pulse, into pair->pulse. */
void receive_pulse(const struct pair *pair, int code);
/* Nothing is in the queue of the channel. */
void nothing_queued(const struct pair *pair);
/* What a client has sent so far has come to the server's node, also what nobody has received. */
void flushed(const struct pair *pair, struct actor *sender);

/* Arms a time-out for the actor's next call. */
void time_out(struct actor *actor, int states, uint64_t nanoseconds);
#define MILLISECONDS 1000000ULL

/* The server's node knows that the client wants to leave. */
void await_unblock_request(const struct pair *pair, struct actor *thread, int rcvid);

#endif
