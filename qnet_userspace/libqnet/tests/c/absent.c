// SPDX-License-Identifier: LGPL-2.1-or-later
/* What every call says when the module is not there, and what it says of bad arguments. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/netmgr.h>
#include <sys/neutrino.h>
#include <sys/qnet.h>
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

int qnx_events(void);

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
	SIGEV_NONE_INIT(&event);
	PLAIN(TimerTimeout_r(CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND, &event, &ns, NULL), EINVAL);
	SIGEV_UNBLOCK_INIT(&event);
	check("arm", TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND, &event, &ns, NULL), 0);
	check("again", TimerTimeout_r(CLOCK_REALTIME, 0, NULL, NULL, &ns), _NTO_TIMEOUT_SEND);
	CLASSIC(TimerTimeout(1234, _NTO_TIMEOUT_SEND, NULL, &ns, NULL), EINVAL);
	PLAIN(TimerTimeout_r(CLOCK_MONOTONIC, (int)0x80000000, NULL, &ns, NULL), EINVAL);
}

/* What came after the first calls. */
static void more_calls(void)
{
	char buf[64];
	struct sigevent event;
	struct _client_info client;
	struct _msg_info info;
	struct qnet_answer answer = { .rcvid = 1 };
	uint32_t key;
	iov_t iov;

	SETIOV(&iov, buf, sizeof(buf));
	SIGEV_PULSE_INIT(&event, -1, 10, 1, 2);
	CLASSIC(MsgReceivePulse(1, buf, sizeof(buf), NULL), ESRCH);
	PLAIN(MsgReceivePulse_r(0, buf, sizeof(buf), &info), ESRCH);
	CLASSIC(MsgReceivePulsev(1, &iov, 1, NULL), ESRCH);
	PLAIN(MsgReceivePulsev_r(1, &iov, 1, &info), ESRCH);
	CLASSIC(MsgInfo(1, &info), ESRCH);
	PLAIN(MsgInfo_r(1, NULL), ESRCH);
	CLASSIC(MsgCurrent(1), ESRCH);
	PLAIN(MsgCurrent_r(-1), ESRCH);
	check("nobody's", MsgCurrent(0), 0);
	CLASSIC(MsgKeyData(1, _NTO_KEYDATA_CALCULATE, 0, &key, &iov, 1), ESRCH);
	PLAIN(MsgKeyData_r(1, -1, 0, &key, &iov, 1), EINVAL);
	PLAIN(MsgKeyData_r(1, _NTO_KEYDATA_VERIFY, 0, &key, &iov, (size_t)1 << 40), EINVAL);
	CLASSIC(MsgReadwritev(1, &iov, 1, &iov, 1), ENOSYS);
	PLAIN(MsgReadwritev_r(1), ENOSYS);
	CLASSIC(MsgSendPulse(-1, -1, 0, 0), EBADF);
	PLAIN(MsgSendPulse_r(1, 10, 0, 0), EBADF);
	CLASSIC(MsgSendPulsePtr(1000 | _NTO_SIDE_CHANNEL, 0, 0, buf), EBADF);
	PLAIN(MsgSendPulsePtr_r(1, 10, 0, NULL), EBADF);
	CLASSIC(MsgDeliverEvent(1, &event), ESRCH);
	PLAIN(MsgDeliverEvent_r(1, NULL), EFAULT);
	CLASSIC(MsgVerifyEvent(1, &event), ESRCH);
	event.sigev_notify |= 0x10000;
	PLAIN(MsgVerifyEvent_r(1, &event), EINVAL);
	CLASSIC(SignalKill(ND_LOCAL_NODE, 1, 0, 0, 0, 0), ENOTSUP);
	PLAIN(SignalKill_r(7, 1, 0, SIGTERM, 0, 0), ENOREMOTE);
	CLASSIC(ConnectClientInfo(-1, &client, 8), ENOTSUP);
	PLAIN(ConnectClientInfo_r(-1, &client, -1), EINVAL);
	CLASSIC(ConnectServerInfo(0, 0, &info), EINVAL);
	PLAIN(ConnectServerInfo_r(0, 1 | _NTO_SIDE_CHANNEL, NULL), EINVAL);
	PLAIN(ConnectServerInfo_r(0x7fffffff, 0, NULL), ESRCH);
	CLASSIC(ConnectFlags(0, 1, _NTO_COF_CLOEXEC, 0), EBADF);
	PLAIN(ConnectFlags_r(0, 1, _NTO_COF_NOSHARE, 0), EINVAL);
	PLAIN(ConnectFlags_r(0x7fffffff, 1, 0, 0), ESRCH);
	CLASSIC(qnet_reply_receive(1, &answer, buf, sizeof(buf), &info), ESRCH);
	PLAIN(qnet_reply_receive_r(1, NULL, buf, sizeof(buf), &info), EFAULT);
	PLAIN(qnet_reply_receivev_r(1, &answer, &iov, 1, &info), ESRCH);
	CLASSIC(qnet_channel_access(1, -1, -1, 0600), ESRCH);
	PLAIN(qnet_channel_access_r(0, 0, 0, 0), ESRCH);
	CLASSIC(qnet_channel_fd(1), ESRCH);
	PLAIN(qnet_channel_fd_r(-1), ESRCH);
}

/* Each call takes the time-out that was armed, also one that does not block. */
static void calls_disarm(void)
{
	static const uint64_t ns = 1000000000;
	struct sigevent event;
	uint64_t left;

#define DISARMS(call) do { \
	check("arm", TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_REPLY, NULL, &ns, NULL), 0); \
	(void)(call); \
	left = 1; \
	check(#call " disarms", TimerTimeout(CLOCK_MONOTONIC, 0, NULL, NULL, &left), 0); \
	check("nothing is left", left, 0); \
} while (0)

	SIGEV_UNBLOCK_INIT(&event);
	DISARMS(MsgReceivePulse_r(1, &left, sizeof(left), NULL));
	DISARMS(MsgInfo_r(1, NULL));
	DISARMS(MsgCurrent_r(1));
	DISARMS(MsgSendPulse_r(1, 10, 0, 0));
	DISARMS(MsgDeliverEvent_r(1, &event));
	DISARMS(SignalKill_r(7, 1, 0, 0, 0, 0));
	DISARMS(ConnectClientInfo_r(-1, NULL, 0));
	DISARMS(ConnectServerInfo_r(0, 0, NULL));
	DISARMS(ConnectFlags_r(0, 1, 0, 0));
	DISARMS(MsgReadwritev_r(1));
	DISARMS(qnet_channel_fd_r(1));
	DISARMS(netmgr_remote_nd(7, 8));
}

static void names(void)
{
	char path[64];

	CLASSIC(netmgr_remote_nd(7, 8), ENOTSUP);
	CLASSIC(netmgr_remote_nd(-1, 8), EINVAL);
	check("what this node calls it", netmgr_remote_nd(ND_LOCAL_NODE, 8), 8);
	check("what it calls itself", netmgr_remote_nd(0x10007, 7), ND_LOCAL_NODE);
	CLASSIC(netmgr_path("beta", "/dev/ser1", path, sizeof(path)), ENOTSUP);
	check("path", netmgr_path(NULL, "/dev/ser1", path, sizeof(path)), 9);
	check("path's text", strcmp(path, "/dev/ser1"), 0);
	check("path that fits", netmgr_path("", "dev", path, 5), 4);
	CLASSIC(netmgr_path("", "dev", path, 4), ENAMETOOLONG);
}

int main(void)
{
	int status;
	pid_t child;

	calls();
	more_calls();
	calls_disarm();
	names();
	check("events", qnx_events(), 0);
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
