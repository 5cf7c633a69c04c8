/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tracepoints of the module: /sys/kernel/tracing/events/qnet. They are
 * called from Rust (rust/knet/trace.rs).
 *
 * Processes of this machine are shown by their numbers in the initial pid
 * namespace, as tracing shows them; those of other nodes by their numbers
 * there. A thread has the number that it calls itself by, in its own pid
 * namespace. The contents of messages are not shown.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM qnet

#if !defined(_QNET_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _QNET_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

/* What a frame is for. */
#define QNET_FRAME_MESSAGE	0
#define QNET_FRAME_ACK		1
#define QNET_FRAME_NACK		2
#define QNET_FRAME_PING		3
#define QNET_FRAME_SESSION	4

/* A program sends a message: where to, and by which of its connections. */
TRACE_EVENT(qnet_send,
	TP_PROTO(u32 nd, s32 pid, s32 chid, s32 coid, s16 priority, u64 bytes),
	TP_ARGS(nd, pid, chid, coid, priority, bytes),

	TP_STRUCT__entry(
		__field(u64, bytes)
		__field(u32, nd)
		__field(s32, pid)
		__field(s32, chid)
		__field(s32, coid)
		__field(s16, priority)
	),
	TP_fast_assign(
		__entry->bytes = bytes;
		__entry->nd = nd;
		__entry->pid = pid;
		__entry->chid = chid;
		__entry->coid = coid;
		__entry->priority = priority;
	),
	TP_printk("nd=%#x pid=%d chid=%d coid=%#x priority=%d bytes=%llu",
		  __entry->nd, __entry->pid, __entry->chid, __entry->coid,
		  __entry->priority, __entry->bytes)
);

/* A server receives one: on which channel, and from whom. */
TRACE_EVENT(qnet_receive,
	TP_PROTO(s32 chid, s32 rcvid, u32 nd, s32 pid, s32 tid, s16 priority,
		 u64 bytes),
	TP_ARGS(chid, rcvid, nd, pid, tid, priority, bytes),

	TP_STRUCT__entry(
		__field(u64, bytes)
		__field(s32, chid)
		__field(s32, rcvid)
		__field(u32, nd)
		__field(s32, pid)
		__field(s32, tid)
		__field(s16, priority)
	),
	TP_fast_assign(
		__entry->bytes = bytes;
		__entry->chid = chid;
		__entry->rcvid = rcvid;
		__entry->nd = nd;
		__entry->pid = pid;
		__entry->tid = tid;
		__entry->priority = priority;
	),
	TP_printk("chid=%d rcvid=%#x nd=%#x pid=%d tid=%d priority=%d bytes=%llu",
		  __entry->chid, __entry->rcvid, __entry->nd, __entry->pid,
		  __entry->tid, __entry->priority, __entry->bytes)
);

/* A server answers one: by MsgReply, or by MsgError if there is an error. */
TRACE_EVENT(qnet_reply,
	TP_PROTO(s32 rcvid, s32 error, s64 status, u64 bytes),
	TP_ARGS(rcvid, error, status, bytes),

	TP_STRUCT__entry(
		__field(s64, status)
		__field(u64, bytes)
		__field(s32, rcvid)
		__field(s32, error)
	),
	TP_fast_assign(
		__entry->status = status;
		__entry->bytes = bytes;
		__entry->rcvid = rcvid;
		__entry->error = error;
	),
	TP_printk("rcvid=%#x error=%d status=%lld bytes=%llu",
		  __entry->rcvid, __entry->error, __entry->status,
		  __entry->bytes)
);

/* A pulse is put into the queue of a channel of this node. */
TRACE_EVENT(qnet_pulse,
	TP_PROTO(s32 pid, s32 chid, s32 scoid, s32 code, s64 value,
		 s16 priority),
	TP_ARGS(pid, chid, scoid, code, value, priority),

	TP_STRUCT__entry(
		__field(s64, value)
		__field(s32, pid)
		__field(s32, chid)
		__field(s32, scoid)
		__field(s32, code)
		__field(s16, priority)
	),
	TP_fast_assign(
		__entry->value = value;
		__entry->pid = pid;
		__entry->chid = chid;
		__entry->scoid = scoid;
		__entry->code = code;
		__entry->priority = priority;
	),
	TP_printk("pid=%d chid=%d scoid=%#x code=%d value=%lld priority=%d",
		  __entry->pid, __entry->chid, __entry->scoid, __entry->code,
		  __entry->value, __entry->priority)
);

/* A frame is given to an interface; of a message: which part of which. */
DECLARE_EVENT_CLASS(qnet_frame,
	TP_PROTO(u32 ifindex, u32 nd, u32 kind, u32 seq, u32 offset,
		 u32 length),
	TP_ARGS(ifindex, nd, kind, seq, offset, length),

	TP_STRUCT__entry(
		__field(u32, ifindex)
		__field(u32, nd)
		__field(u32, kind)
		__field(u32, seq)
		__field(u32, offset)
		__field(u32, length)
	),
	TP_fast_assign(
		__entry->ifindex = ifindex;
		__entry->nd = nd;
		__entry->kind = kind;
		__entry->seq = seq;
		__entry->offset = offset;
		__entry->length = length;
	),
	TP_printk("ifindex=%u nd=%#x kind=%s seq=%u offset=%u length=%u",
		  __entry->ifindex, __entry->nd,
		  __print_symbolic(__entry->kind,
				   { QNET_FRAME_MESSAGE, "message" },
				   { QNET_FRAME_ACK, "ack" },
				   { QNET_FRAME_NACK, "nack" },
				   { QNET_FRAME_PING, "ping" },
				   { QNET_FRAME_SESSION, "session" }),
		  __entry->seq, __entry->offset, __entry->length)
);

/* It leaves for the first time. */
DEFINE_EVENT(qnet_frame, qnet_transmit,
	TP_PROTO(u32 ifindex, u32 nd, u32 kind, u32 seq, u32 offset,
		 u32 length),
	TP_ARGS(ifindex, nd, kind, seq, offset, length)
);

/* A part of a message leaves again. */
DEFINE_EVENT(qnet_frame, qnet_retransmit,
	TP_PROTO(u32 ifindex, u32 nd, u32 kind, u32 seq, u32 offset,
		 u32 length),
	TP_ARGS(ifindex, nd, kind, seq, offset, length)
);

/* Something that came was dropped; the reason is the counter's label. */
TRACE_EVENT(qnet_drop,
	TP_PROTO(const char *reason, u32 length),
	TP_ARGS(reason, length),

	TP_STRUCT__entry(
		__string_len(reason, reason, length)
	),
	TP_fast_assign(
		__assign_str(reason);
	),
	TP_printk("reason=%s", __get_str(reason))
);

#endif /* _QNET_TRACE_H */

/* This part must be outside of the protection. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
