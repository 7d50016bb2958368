// SPDX-License-Identifier: MIT
/*
 * Request and response over loopback, on many connections at once, as fast as
 * they go: pingpong CONNECTIONS SECONDS [WAIT] prints the round trips made in
 * SECONDS. The connections are opened WAIT seconds before. What was made so
 * far goes to standard error every STEP_S, after the time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define STEP_S 0.02

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		err(1, "epoll_ctl");
}

/* Each side keeps to its own processor: moving about is most of the noise. */
static void keep_to(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

/* Answer every byte that comes with one byte, until killed. */
static void serve(int listener, int connections)
{
	struct epoll_event events[BATCH];
	int epoll = epoll_create1(0);
	char byte;

	while (connections--)
		watch(epoll, accept(listener, NULL, NULL));
	for (;;) {
		int ready = epoll_wait(epoll, events, BATCH, -1);

		for (int i = 0; i < ready; i++) {
			if (read(events[i].data.fd, &byte, 1) != 1)
				exit(0);
			if (write(events[i].data.fd, &byte, 1) != 1)
				exit(0);
		}
	}
}

static long play(int epoll, double seconds)
{
	struct epoll_event events[BATCH];
	double begin = now(), step = begin, time;
	long trips = 0;
	char byte = 0;

	while ((time = now()) < begin + seconds) {
		if (time >= step) {
			fprintf(stderr, "%.6f %ld\n", time, trips);
			step += STEP_S;
		}
		int ready = epoll_wait(epoll, events, BATCH, 100);

		for (int i = 0; i < ready; i++) {
			if (read(events[i].data.fd, &byte, 1) != 1)
				errx(1, "the server is gone");
			if (write(events[i].data.fd, &byte, 1) != 1)
				errx(1, "the server is gone");
			trips++;
		}
	}
	return trips;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int connections, listener, epoll;
	pid_t server;

	if (argc < 3 || argc > 4)
		errx(2, "usage: pingpong CONNECTIONS SECONDS [WAIT]");
	connections = atoi(argv[1]);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (void *)&address, length) || listen(listener, 4096) ||
	    getsockname(listener, (void *)&address, &length))
		err(1, "listen");
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		keep_to(1);
		serve(listener, connections);
	}
	keep_to(0);
	epoll = epoll_create1(0);
	for (int i = 0; i < connections; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (void *)&address, length))
			err(1, "connect");
		watch(epoll, fd);
		if (write(fd, "x", 1) != 1)
			err(1, "write");
	}
	if (argc == 4)
		usleep(atof(argv[3]) * 1e6);
	printf("%ld\n", play(epoll, atof(argv[2])));
	kill(server, SIGKILL);
	return 0;
}
