/*
 * A library loaded before libc (LD_PRELOAD) that lets the Nth call of one kind fail, fall short, or be the last thing the
 * process does. Test code: never part of the program.
 *
 * The file named by FAULTS is mapped; the test writes into it what is to happen and reads from it what has. Only calls
 * on files below the folder given there count, whichever thread makes them; for sockets, all count. No headers are used,
 * so a compiler alone builds it.
 */

typedef unsigned long size_t;
typedef long ssize_t;
typedef long off_t;

extern void *dlsym(void *handle, const char *name);
extern char *getenv(const char *name);
extern void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset);
extern ssize_t readlink(const char *path, char *into, size_t length);
extern int kill(int pid, int signal);
extern int getpid(void);
extern int *__errno_location(void);
extern int pthread_mutex_lock(void *mutex);
extern int pthread_mutex_unlock(void *mutex);

#define NEXT ((void *)-1L)
#define KILL -1
#define SHORT -2

enum call { NONE, OPEN, WRITE, SYNC, RENAME, UNLINK, LINK, MKDIR, CHMOD, READ, SEND, TRUNCATE };

/* The mapped file; faults.ts has the same layout. */
struct control {
  volatile int call;
  volatile int when;
  /* KILL, SHORT, or an errno. */
  volatile int action;
  volatile int seen;
  volatile int hits;
  int reserved[59];
  char folder[1024];
};

static struct control *control;
/* Zeros are an unlocked mutex. */
static long mutex[16];

static void *real(const char *name) { return dlsym(NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTS");
  if (!path) return;
  int (*open_)(const char *, int, ...) = real("open");
  int fd = open_(path, 2 /* O_RDWR */);
  if (fd < 0) return;
  void *mapped = mmap(0, sizeof(struct control), 3 /* read, write */, 1 /* shared */, fd, 0);
  if (mapped != (void *)-1L) control = mapped;
}

static int below(const char *path) {
  const char *folder = control->folder;
  while (*folder && *folder == *path) folder++, path++;
  return !*folder && (*path == '/' || !*path);
}

/* 0: go on. 1: fail with the errno that is set. 2: fall short. Does not return where the process is to die. */
static int decide(enum call call) {
  pthread_mutex_lock(mutex);
  int hit = control->call == (int)call && ++control->seen == control->when;
  if (hit) control->hits++;
  int action = control->action;
  if (hit && action == KILL) {
    kill(getpid(), 9);
    for (;;) {}
  }
  pthread_mutex_unlock(mutex);
  if (!hit) return 0;
  if (action == SHORT) return 2;
  *__errno_location() = action;
  return 1;
}

static int on_path(enum call call, const char *path) {
  if (!control || control->call != (int)call || !path || !below(path)) return 0;
  return decide(call);
}

/* A file below the folder, or a socket, by its descriptor. */
static int on_fd(enum call file_call, int fd) {
  if (!control || control->call == NONE) return 0;
  if (control->call != (int)file_call && control->call != SEND) return 0;
  char link[64] = "/proc/self/fd/", target[1024];
  char digits[12];
  int length = 0, at = 14;
  unsigned number = fd;
  do digits[length++] = '0' + number % 10; while (number /= 10);
  while (length) link[at++] = digits[--length];
  link[at] = 0;
  int saved = *__errno_location();
  ssize_t got = readlink(link, target, sizeof target - 1);
  *__errno_location() = saved;
  if (got < 8) return 0;
  target[got] = 0;
  static const char socket[] = "socket:[";
  int n = 0;
  while (socket[n] && socket[n] == target[n]) n++;
  if (!socket[n]) return control->call == SEND && file_call != READ ? decide(SEND) : 0;
  return control->call == (int)file_call && below(target) ? decide(file_call) : 0;
}

/* How much of a write that falls short is done: some, but not all. */
static size_t part(size_t length) { return length > 1 ? length / 2 : length; }

#define PASS(type, name, arguments, values) \
  static type (*next) arguments; \
  if (!next) next = real(name); \
  return next values

int open64(const char *path, int flags, unsigned mode) {
  if (on_path(OPEN, path)) return -1;
  PASS(int, "open64", (const char *, int, unsigned), (path, flags, mode));
}

int open(const char *path, int flags, unsigned mode) {
  if (on_path(OPEN, path)) return -1;
  PASS(int, "open", (const char *, int, unsigned), (path, flags, mode));
}

int openat64(int directory, const char *path, int flags, unsigned mode) {
  if (on_path(OPEN, path)) return -1;
  PASS(int, "openat64", (int, const char *, int, unsigned), (directory, path, flags, mode));
}

void *opendir(const char *path) {
  if (on_path(OPEN, path)) return 0;
  PASS(void *, "opendir", (const char *), (path));
}

ssize_t write(int fd, const void *bytes, size_t length) {
  int fault = on_fd(WRITE, fd);
  if (fault == 1) return -1;
  if (fault == 2) length = part(length);
  PASS(ssize_t, "write", (int, const void *, size_t), (fd, bytes, length));
}

ssize_t writev(int fd, const void *vectors, int count) {
  int fault = on_fd(WRITE, fd);
  if (fault == 1) return -1;
  if (fault == 2 && count > 1) count = 1;
  PASS(ssize_t, "writev", (int, const void *, int), (fd, vectors, count));
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  int fault = on_fd(WRITE, fd);
  if (fault == 1) return -1;
  if (fault == 2) length = part(length);
  PASS(ssize_t, "pwrite64", (int, const void *, size_t, off_t), (fd, bytes, length, offset));
}

ssize_t read(int fd, void *into, size_t length) {
  int fault = on_fd(READ, fd);
  if (fault == 1) return -1;
  if (fault == 2) length = part(length);
  PASS(ssize_t, "read", (int, void *, size_t), (fd, into, length));
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  if (on_fd(NONE, fd)) return -1;
  PASS(ssize_t, "send", (int, const void *, size_t, int), (fd, bytes, length, flags));
}

int fdatasync(int fd) {
  if (on_fd(SYNC, fd)) return -1;
  PASS(int, "fdatasync", (int), (fd));
}

int fsync(int fd) {
  if (on_fd(SYNC, fd)) return -1;
  PASS(int, "fsync", (int), (fd));
}

int ftruncate64(int fd, off_t length) {
  if (on_fd(TRUNCATE, fd)) return -1;
  PASS(int, "ftruncate64", (int, off_t), (fd, length));
}

int rename(const char *from, const char *to) {
  if (on_path(RENAME, from)) return -1;
  PASS(int, "rename", (const char *, const char *), (from, to));
}

int unlink(const char *path) {
  if (on_path(UNLINK, path)) return -1;
  PASS(int, "unlink", (const char *), (path));
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
  if (on_path(LINK, from)) return -1;
  PASS(int, "linkat", (int, const char *, int, const char *, int), (a, from, b, to, flags));
}

int mkdir(const char *path, unsigned mode) {
  if (on_path(MKDIR, path)) return -1;
  PASS(int, "mkdir", (const char *, unsigned), (path, mode));
}

int chmod(const char *path, unsigned mode) {
  if (on_path(CHMOD, path)) return -1;
  PASS(int, "chmod", (const char *, unsigned), (path, mode));
}
