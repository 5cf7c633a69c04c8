// SPDX-License-Identifier: LGPL-2.1-or-later
/* What every call says when the module is not there, and what it says of bad arguments. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;

static void check(const char *what, long got, long want)
{
	if (got == want)
		return;
	printf("%s: %ld, not %ld\n", what, got, want);
	failed = 1;
}

#define CLASSIC(call, error) do { \
	errno = 0; \
	check(#call, (call), -1); \
	check("errno of " #call, errno, error); \
} while (0)

#define PLAIN(call, error) do { \
	errno = 77; \
	check(#call, (call), -(error)); \
	check("errno of " #call, errno, 77); \
} while (0)

static void calls(void)
{
	char buf[16] = "x", *end = NULL;
	iov_t iov;
	uint64_t ns = 1;
	struct sigevent event;

	SETIOV(&iov, buf, sizeof(buf));
	CLASSIC(ChannelCreate(0), ENOTSUP);
	PLAIN(ChannelCreate_r(0), ENOTSUP);
	CLASSIC(ChannelDestroy(1), EINVAL);
	PLAIN(ChannelDestroy_r(-1), EINVAL);
	CLASSIC(ConnectAttach(ND_LOCAL_NODE, 0, 1, 0, 0), ENOTSUP);
	CLASSIC(ConnectAttach(5, 1, 1, _NTO_SIDE_CHANNEL, 0), ENOREMOTE);
	PLAIN(ConnectAttach_r(5, 1, 1, 0, _NTO_COF_CLOEXEC), ENOREMOTE);
	PLAIN(ConnectAttach_r(5, 1, 1, 0x80000000U, 0), EINVAL);
	CLASSIC(ConnectDetach(-1), EINVAL);
	PLAIN(ConnectDetach_r(1), EINVAL);
	PLAIN(ConnectDetach_r(1 | _NTO_SIDE_CHANNEL), EINVAL);
	CLASSIC(MsgSend(-1, buf, 1, buf, 1), EBADF);
	CLASSIC(MsgSend(1000, buf, 1, buf, 1), EBADF);
	PLAIN(MsgSend_r(1, buf, 1, buf, 1), EBADF);
	PLAIN(MsgSendnc_r(1000 | _NTO_SIDE_CHANNEL, buf, 1, buf, 1), EBADF);
	PLAIN(MsgSend_r(1, buf, (size_t)-1, buf, 1), EOVERFLOW);
	PLAIN(MsgSend_r(1, buf, 1, buf, (size_t)-1), EOVERFLOW);
	PLAIN(MsgSendv_r(1, &iov, 1, &iov, 1), EBADF);
	PLAIN(MsgSendv_r(1, &iov, (size_t)1 << 40, &iov, 1), EINVAL);
	PLAIN(MsgSendvnc_r(1, &iov, 1, NULL, 0), EBADF);
	PLAIN(MsgSendsv_r(1, buf, 1, &iov, 1), EBADF);
	PLAIN(MsgSendsvnc_r(1, buf, 1, &iov, 1), EBADF);
	PLAIN(MsgSendvs_r(1, &iov, 1, buf, 1), EBADF);
	PLAIN(MsgSendvsnc_r(1, &iov, 1, buf, 1), EBADF);
	CLASSIC(MsgSendnc(1, buf, 1, buf, 1), EBADF);
	CLASSIC(MsgSendv(1, &iov, 1, &iov, 1), EBADF);
	CLASSIC(MsgSendvnc(1, &iov, 1, &iov, 1), EBADF);
	CLASSIC(MsgSendsv(1, buf, 1, &iov, 1), EBADF);
	CLASSIC(MsgSendsvnc(1, buf, 1, &iov, 1), EBADF);
	CLASSIC(MsgSendvs(1, &iov, 1, buf, 1), EBADF);
	CLASSIC(MsgSendvsnc(1, &iov, 1, buf, 1), EBADF);
	CLASSIC(MsgReceive(1, buf, sizeof(buf), NULL), ESRCH);
	PLAIN(MsgReceive_r(0, buf, sizeof(buf), NULL), ESRCH);
	CLASSIC(MsgReceivev(1, &iov, 1, NULL), ESRCH);
	PLAIN(MsgReceivev_r(-5, &iov, 1, NULL), ESRCH);
	CLASSIC(MsgReply(1, 0, NULL, 0), ESRCH);
	PLAIN(MsgReply_r(1, 0, buf, (size_t)-1), EOVERFLOW);
	PLAIN(MsgReplyv_r(1, 0, &iov, 1), ESRCH);
	CLASSIC(MsgReplyv(1, 0, &iov, 1), ESRCH);
	CLASSIC(MsgRead(1, buf, 1, 0), ESRCH);
	PLAIN(MsgRead_r(1, buf, (size_t)-1, 0), EOVERFLOW);
	CLASSIC(MsgReadv(1, &iov, 1, 0), ESRCH);
	PLAIN(MsgReadv_r(1, &iov, (size_t)1 << 40, 0), EINVAL);
	CLASSIC(MsgWrite(1, buf, 1, 0), ESRCH);
	PLAIN(MsgWrite_r(1, buf, (size_t)-1, 0), EOVERFLOW);
	CLASSIC(MsgWritev(1, &iov, 1, 0), ESRCH);
	PLAIN(MsgWritev_r(1, &iov, (size_t)1 << 40, 0), EINVAL);
	CLASSIC(MsgError(1, EINVAL), ESRCH);
	PLAIN(MsgError_r(1, EINVAL), ESRCH);
	CLASSIC(netmgr_strtond("somewhere", &end), ENOTSUP);
	CLASSIC(netmgr_strtond(NULL, &end), EINVAL);
	check("end", end == NULL, 1);
	CLASSIC(netmgr_ndtostr(0, 1, buf, sizeof(buf)), ENOTSUP);
	CLASSIC(netmgr_ndtostr(ND2S_DIR_SHOW | ND2S_DIR_HIDE, 0, buf, sizeof(buf)), EINVAL);
	check("ndtostr", netmgr_ndtostr(ND2S_DIR_SHOW, 0, buf, sizeof(buf)), 1);
	check("string", strcmp(buf, "/"), 0);
	check("cut ndtostr", netmgr_ndtostr(ND2S_DIR_SHOW, 0, buf, 1), 1);
	check("cut string", buf[0], 0);
	memset(&event, 0, sizeof(event));
	SIGEV_UNBLOCK_INIT(&event);
	check("arm", TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND, &event, &ns, NULL), 0);
	check("again", TimerTimeout_r(CLOCK_REALTIME, 0, NULL, NULL, &ns), _NTO_TIMEOUT_SEND);
	CLASSIC(TimerTimeout(1234, _NTO_TIMEOUT_SEND, NULL, &ns, NULL), EINVAL);
	PLAIN(TimerTimeout_r(CLOCK_MONOTONIC, (int)0x80000000, NULL, &ns, NULL), EINVAL);
}

int main(void)
{
	int status;
	pid_t child;

	calls();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		calls();
		fflush(stdout);
		_exit(failed);
	}
	if (waitpid(child, &status, 0) != child || status)
		failed = 1;
	return failed;
}
