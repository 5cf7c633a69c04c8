// SPDX-License-Identifier: LGPL-2.1-or-later
/* Prints what tests/headers.rs compares with the library's own idea of it. */
#include <stddef.h>
#include <stdio.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <sys/qnet.h>

#define SIZE(structure) printf("%s %zu\n", #structure, sizeof(struct structure))
#define FIELD(structure, name) \
	printf("%s.%s %zu %zu\n", #structure, #name, offsetof(struct structure, name), \
	       sizeof(((struct structure *)0)->name))
#define NUMBER(name) printf("%s %lld\n", #name, (long long)(name))

/* A macro of another name stands for the structure. */
#define EVENT(name) \
	printf("sigevent.%s %zu %zu\n", #name, offsetof(struct sigevent, name), \
	       sizeof(((struct sigevent *)0)->name))

static void structures(void)
{
	SIZE(_msg_info);
	FIELD(_msg_info, nd);
	FIELD(_msg_info, srcnd);
	FIELD(_msg_info, pid);
	FIELD(_msg_info, tid);
	FIELD(_msg_info, chid);
	FIELD(_msg_info, scoid);
	FIELD(_msg_info, coid);
	FIELD(_msg_info, priority);
	FIELD(_msg_info, flags);
	FIELD(_msg_info, msglen);
	FIELD(_msg_info, srcmsglen);
	FIELD(_msg_info, dstmsglen);
	FIELD(_msg_info, type_id);
	FIELD(_msg_info, reserved);
	SIZE(_pulse);
	FIELD(_pulse, type);
	FIELD(_pulse, subtype);
	FIELD(_pulse, code);
	FIELD(_pulse, zero);
	FIELD(_pulse, value);
	FIELD(_pulse, scoid);
	SIZE(_cred_info);
	FIELD(_cred_info, ruid);
	FIELD(_cred_info, euid);
	FIELD(_cred_info, suid);
	FIELD(_cred_info, rgid);
	FIELD(_cred_info, egid);
	FIELD(_cred_info, sgid);
	FIELD(_cred_info, ngroups);
	FIELD(_cred_info, grouplist);
	SIZE(_client_info);
	FIELD(_client_info, nd);
	FIELD(_client_info, pid);
	FIELD(_client_info, sid);
	FIELD(_client_info, flags);
	FIELD(_client_info, cred);
	SIZE(qnet_answer);
	FIELD(qnet_answer, rcvid);
	FIELD(qnet_answer, error);
	FIELD(qnet_answer, status);
	FIELD(qnet_answer, iov);
	FIELD(qnet_answer, parts);
	printf("sigevent %zu\n", sizeof(struct sigevent));
	EVENT(sigev_notify);
	EVENT(sigev_signo);
	EVENT(sigev_coid);
	EVENT(sigev_value);
	EVENT(sigev_code);
	EVENT(sigev_priority);
}

static void numbers(void)
{
	NUMBER(ENOREMOTE);
	NUMBER(ESRVRFAULT);
	NUMBER(_NTO_SIDE_CHANNEL);
	NUMBER(_NTO_CHF_FIXED_PRIORITY);
	NUMBER(_NTO_CHF_UNBLOCK);
	NUMBER(_NTO_CHF_THREAD_DEATH);
	NUMBER(_NTO_CHF_DISCONNECT);
	NUMBER(_NTO_CHF_SENDER_LEN);
	NUMBER(_NTO_CHF_COID_DISCONNECT);
	NUMBER(_NTO_CHF_REPLY_LEN);
	NUMBER(_NTO_CHF_PRIVATE);
	NUMBER(_QNET_CHF_REMOTE);
	NUMBER(_NTO_COF_CLOEXEC);
	NUMBER(_NTO_COF_NOSHARE);
	NUMBER(_NTO_TIMEOUT_SEND);
	NUMBER(_NTO_TIMEOUT_RECEIVE);
	NUMBER(_NTO_TIMEOUT_REPLY);
	NUMBER(_NTO_MI_UNBLOCK_REQ);
	NUMBER(_NTO_MI_NET_CRED_DIRTY);
	NUMBER(_NTO_KEYDATA_VERIFY);
	NUMBER(_NTO_KEYDATA_CALCULATE);
	NUMBER(_NTO_KEYDATA_CALCULATE_REUSE);
	NUMBER(_PULSE_CODE_UNBLOCK);
	NUMBER(_PULSE_CODE_DISCONNECT);
	NUMBER(_PULSE_CODE_THREADDEATH);
	NUMBER(_PULSE_CODE_COIDDEATH);
	NUMBER(SIGEV_NONE);
	NUMBER(SIGEV_SIGNAL);
	NUMBER(SIGEV_SIGNAL_CODE);
	NUMBER(SIGEV_SIGNAL_THREAD);
	NUMBER(SIGEV_PULSE);
	NUMBER(SIGEV_UNBLOCK);
}

int main(void)
{
	iov_t iov;
	char text[] = "abc";

	structures();
	numbers();
	SETIOV(&iov, text, 3);
	if (GETIOVBASE(&iov) != text || GETIOVLEN(&iov) != 3)
		return 1;
	if (ND_NODE_CMP(0x10007, 7) != 0 || ND_NODE_CMP(ND_LOCAL_NODE, 7) == 0)
		return 1;
	return QNET_CONNECTION_FD(5 | _NTO_SIDE_CHANNEL) != 5;
}
