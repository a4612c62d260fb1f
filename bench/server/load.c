/*
 * The load: one thread around epoll, so that the server is the bottleneck.
 *
 *   load ask  tcp|tls HOST PORT CONNECTIONS SECONDS   each connection sends a request as soon as it
 *                                                     is answered: a while to warm up, then it waits
 *                                                     for a line of standard input, then for SECONDS
 *   load open tcp|tls HOST PORT PER_SECOND SECONDS    opens connections, and sends one request on each
 *   load hold tcp|tls HOST PORT CONNECTIONS           opens connections and sends a request on each,
 *                                                     and another one for each line of standard
 *                                                     input; ends with standard input
 *
 * Prints one JSON object a line. No request is pending while it waits for standard input. It
 * connects from 127.1.0.1, 127.1.0.2 and so on: one pair of addresses has too few ports.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PER_ADDRESS 500
#define MAX_FDS 65536

static const unsigned char REQUEST[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static struct sockaddr_in server;
static int epoll;
static long answered, errors, opened, waiting, latency_max_us;
static int open_fds;
static double asked_at[MAX_FDS];
static SSL_CTX *tls;
static SSL *sessions[MAX_FDS];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6 + u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6;
}

static int ask(int fd) {
  asked_at[fd] = now();
  waiting++;
  if (tls != NULL) return SSL_write(sessions[fd], REQUEST, sizeof REQUEST) == sizeof REQUEST ? 0 : -1;
  return send(fd, REQUEST, sizeof REQUEST, MSG_NOSIGNAL) == sizeof REQUEST ? 0 : -1;
}

/* as recv: -1 with EAGAIN when there is nothing yet */
static ssize_t receive(int fd, unsigned char *buffer, size_t size) {
  if (tls == NULL) return recv(fd, buffer, size, 0);
  int length = SSL_read(sessions[fd], buffer, size);
  if (length > 0) return length;
  errno = SSL_get_error(sessions[fd], length) == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
  return -1;
}

/* 1: the session is there; 0: not yet; -1: the handshake failed */
static int shake_hands(int fd) {
  if (sessions[fd] == NULL) {
    sessions[fd] = SSL_new(tls);
    SSL_set_fd(sessions[fd], fd);
    SSL_set_connect_state(sessions[fd]);
  }
  int result = SSL_do_handshake(sessions[fd]);
  if (result == 1) return 1;
  return SSL_get_error(sessions[fd], result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* the connection is under way: the answer to its first request tells that it is there */
static int dial(long number) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010001 + number / PER_ADDRESS % 250) };
  struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLONESHOT, .data.fd = fd };
  if (fd < 0 || fd >= MAX_FDS) { perror("socket"); exit(1); }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&local, sizeof local) < 0) { perror("bind"); exit(1); }
  if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) { errors++; close(fd); return -1; }
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  opened++;
  open_fds++;
  waiting++;
  return fd;
}

static void hang_up(int fd) {
  struct linger reset = { 1, 0 };
  if (sessions[fd] != NULL) { SSL_free(sessions[fd]); sessions[fd] = NULL; }
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd);
  open_fds--;
}

/* 1: an answer came; 0: nothing yet; -1: the connection is gone */
static int take(int fd, unsigned events) {
  unsigned char buffer[512];
  if (events & EPOLLOUT) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
    int ready = tls == NULL ? 1 : shake_hands(fd);
    if (ready == 0) return 0;
    waiting--;
    if (ready == 1 && ask(fd) == 0) return 0;
  } else if (tls != NULL && !SSL_is_init_finished(sessions[fd])) {
    int ready = shake_hands(fd);
    if (ready == 0) return 0;
    waiting--;
    if (ready == 1 && ask(fd) == 0) return 0;
  } else {
    ssize_t length = receive(fd, buffer, sizeof buffer);
    if (length < 0 && errno == EAGAIN) return 0;
    if (length >= 32 && buffer[0] == 1 && buffer[1] == 1 && memcmp(buffer + 4, REQUEST + 4, 16) == 0) {
      long us = (now() - asked_at[fd]) * 1e6;
      if (us > latency_max_us) latency_max_us = us;
      answered++;
      waiting--;
      return 1;
    }
  }
  errors++;
  hang_up(fd);
  return -1;
}

static int turn(struct epoll_event *events, int wait_ms) {
  int n = epoll_wait(epoll, events, 512, wait_ms);
  return n < 0 ? 0 : n;
}

static void report(double seconds, double used) {
  printf("{\"answered\":%ld,\"errors\":%ld,\"opened\":%ld,\"seconds\":%.3f,\"cpu\":%.3f,\"maxLatencyMs\":%.1f}\n",
    answered, errors, opened, seconds, used, latency_max_us / 1e3);
  fflush(stdout);
}

/* all ask until then; each has its last answer when it returns */
static void ask_until(double end) {
  struct epoll_event events[512];
  while (open_fds > 0 && (now() < end || (waiting > 0 && now() < end + 5))) {
    int n = turn(events, 100);
    for (int i = 0; i < n; i++) if (take(events[i].data.fd, events[i].events) == 1 && now() < end && ask(events[i].data.fd) < 0) { errors++; hang_up(events[i].data.fd); }
  }
}

static void ask_for(long connections, double seconds) {
  static int fds[MAX_FDS];
  char line[64];
  for (long i = 0; i < connections; i++) fds[i] = dial(i);
  ask_until(now() + seconds / 5);
  printf("{\"measuring\":true}\n");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) return;
  double start = now(), used = cpu();
  answered = latency_max_us = 0;
  for (long i = 0; i < connections; i++) if (fds[i] >= 0) ask(fds[i]);
  ask_until(start + seconds);
  report(now() - start, cpu() - used);
  /* to hang up is not what is measured */
  fgets(line, sizeof line, stdin);
}

static void open_for(double per_second, double seconds) {
  struct epoll_event events[512];
  double start = now(), used = cpu();
  printf("{\"measuring\":true}\n");
  fflush(stdout);
  /* a moment more for the last answers */
  while (now() < start + seconds + 5 && (opened < seconds * per_second || open_fds > 0)) {
    double passed = now() - start < seconds ? now() - start : seconds;
    while (opened < passed * per_second) dial(opened);
    int n = turn(events, 1);
    for (int i = 0; i < n; i++) if (take(events[i].data.fd, events[i].events) == 1) hang_up(events[i].data.fd);
  }
  errors += open_fds;
  report(now() - start, cpu() - used);
}

static void hold(long connections) {
  struct epoll_event events[512];
  static int fds[MAX_FDS];
  char line[64];
  double start = now(), used = cpu();
  /* not more at once than a backlog holds */
  for (long i = 0; i < connections;) {
    while (i < connections && i - answered - errors < 200) { fds[i] = dial(i); i++; }
    int n = turn(events, 100);
    for (int j = 0; j < n; j++) take(events[j].data.fd, events[j].events);
    if (now() > start + 120) break;
  }
  while (answered + errors < connections && now() < start + 120) {
    int n = turn(events, 100);
    for (int j = 0; j < n; j++) take(events[j].data.fd, events[j].events);
  }
  report(now() - start, cpu() - used);
  while (fgets(line, sizeof line, stdin) != NULL) {
    start = now(); used = cpu();
    answered = errors = latency_max_us = 0;
    for (long i = 0; i < connections && i < MAX_FDS; i++) if (fds[i] >= 0) ask(fds[i]);
    while (answered + errors < connections && now() < start + 60) {
      int n = turn(events, 100);
      for (int j = 0; j < n; j++) take(events[j].data.fd, events[j].events);
    }
    report(now() - start, cpu() - used);
  }
}

int main(int argc, char **argv) {
  if (argc < 6) { fprintf(stderr, "load ask|open|hold tcp|tls HOST PORT NUMBER [SECONDS]\n"); return 2; }
  if (strcmp(argv[2], "tls") == 0) {
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
  }
  server.sin_family = AF_INET;
  server.sin_port = htons(atoi(argv[4]));
  inet_pton(AF_INET, argv[3], &server.sin_addr);
  epoll = epoll_create1(0);
  double seconds = argc > 6 ? atof(argv[6]) : 0;
  if (strcmp(argv[1], "ask") == 0) ask_for(atol(argv[5]), seconds);
  else if (strcmp(argv[1], "open") == 0) open_for(atof(argv[5]), seconds);
  else hold(atol(argv[5]));
  return 0;
}
