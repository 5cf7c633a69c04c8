// SPDX-License-Identifier: LGPL-2.1-or-later
/* Prints what tests/headers.rs compares with the library's own idea of it. */
#include <stddef.h>
#include <stdio.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>

#define FIELD(name) \
	printf("%s %zu %zu\n", #name, offsetof(struct _msg_info, name), \
	       sizeof(((struct _msg_info *)0)->name))
#define NUMBER(name) printf("%s %lu\n", #name, (unsigned long)(name))

int main(void)
{
	iov_t iov;
	char text[] = "abc";

	FIELD(nd);
	FIELD(srcnd);
	FIELD(pid);
	FIELD(tid);
	FIELD(chid);
	FIELD(scoid);
	FIELD(coid);
	FIELD(priority);
	FIELD(flags);
	FIELD(msglen);
	FIELD(srcmsglen);
	FIELD(dstmsglen);
	FIELD(type_id);
	FIELD(reserved);
	printf("_msg_info %zu\n", sizeof(struct _msg_info));
	NUMBER(ENOREMOTE);
	NUMBER(ESRVRFAULT);
	NUMBER(_NTO_SIDE_CHANNEL);
	NUMBER(_NTO_CHF_FIXED_PRIORITY);
	NUMBER(_NTO_CHF_SENDER_LEN);
	NUMBER(_NTO_CHF_REPLY_LEN);
	NUMBER(_NTO_CHF_PRIVATE);
	NUMBER(_NTO_COF_CLOEXEC);
	NUMBER(_NTO_COF_NOSHARE);
	NUMBER(_NTO_TIMEOUT_SEND);
	NUMBER(_NTO_TIMEOUT_RECEIVE);
	NUMBER(_NTO_TIMEOUT_REPLY);
	SETIOV(&iov, text, 3);
	if (GETIOVBASE(&iov) != text || GETIOVLEN(&iov) != 3)
		return 1;
	if (ND_NODE_CMP(0x10007, 7) != 0 || ND_NODE_CMP(ND_LOCAL_NODE, 7) == 0)
		return 1;
	return 0;
}
