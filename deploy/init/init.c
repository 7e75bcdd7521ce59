/*
 * The first process of the local image (make eif-local): what nitro-cli's init does, on Debian's kernel.
 *
 * Loads the kernel's modules in the order of /modules/order, says to the parent that it lives (vsock, CID 3, port 9000: one
 * byte there and back), enters /rootfs and starts /cmd with /env. When that process ends, so does the machine: a
 * restarted application would find registers that an earlier one has extended and locked.
 *
 * As under nitro-cli's init, `lo` stays down, the working folder is /, and nobody forwards signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_FILE = 64 * 1024, MAX_LINES = 1024, HEARTBEAT_CID = 3, HEARTBEAT_PORT = 9000, HEARTBEAT_BYTE = 0xB7 };
enum { HEARTBEAT_S = 30 };

static const char SEARCHED[] = "/sbin:/usr/sbin:/bin:/usr/bin"; /* nitro-cli's init looks nowhere else */

static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("init: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

__attribute__((noreturn)) static void end_machine(void)
{
    sync();
    reboot(RB_AUTOBOOT);
    for (;;) /* the kernel said no; a first process that returns would only make it panic */
        pause();
}

#define REQUIRE(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            say(__VA_ARGS__);                                                                                          \
            end_machine();                                                                                             \
        }                                                                                                              \
    } while (0)

static void mount_at(const char *type, const char *place, unsigned long flags, const char *options)
{
    mkdir(place, 0755);
    REQUIRE(mount(type, place, type, flags, options) == 0, "cannot mount %s on %s: %s", type, place, strerror(errno));
}

static void open_console(void)
{
    int console = open("/dev/console", O_RDWR);
    if (console < 0)
        return; /* a production enclave has none */
    for (int each = 0; each < 3; each++)
        dup2(console, each);
    if (console > 2)
        close(console);
    setvbuf(stderr, NULL, _IOLBF, 0);
}

/* The lines of a file in place of which `lines` is NULL-terminated; the text lives as long as the process. */
static int read_lines(const char *path, char *lines[MAX_LINES + 1])
{
    char *text = calloc(1, MAX_FILE + 1);
    int file = open(path, O_RDONLY | O_CLOEXEC), count = 0;
    REQUIRE(text && file >= 0, "cannot open %s: %s", path, strerror(errno));
    size_t length = 0;
    for (ssize_t got; length < MAX_FILE && (got = read(file, text + length, MAX_FILE - length)) > 0;)
        length += got;
    close(file);
    REQUIRE(length < MAX_FILE, "%s: expected less than %d bytes", path, MAX_FILE);
    for (char *line, *rest = text; (line = strsep(&rest, "\n")) && *line;) {
        REQUIRE(count < MAX_LINES, "%s: expected at most %d lines", path, MAX_LINES);
        lines[count++] = line;
    }
    lines[count] = NULL;
    return count;
}

static void load_modules(void)
{
    char *names[MAX_LINES + 1];
    for (int each = 0, count = read_lines("/modules/order", names); each < count; each++) {
        char path[256];
        REQUIRE(snprintf(path, sizeof path, "/modules/%s", names[each]) < (int)sizeof path, "a module's name is too long");
        int file = open(path, O_RDONLY | O_CLOEXEC);
        REQUIRE(file >= 0, "cannot open %s: %s", path, strerror(errno));
        REQUIRE(syscall(SYS_finit_module, file, "", 0) == 0, "cannot load %s: %s", names[each], strerror(errno));
        close(file);
        unlink(path);
    }
}

static void beat(void)
{
    struct sockaddr_vm parent = {.svm_family = AF_VSOCK, .svm_cid = HEARTBEAT_CID, .svm_port = HEARTBEAT_PORT};
    struct timeval limit = {.tv_sec = HEARTBEAT_S};
    unsigned char byte = HEARTBEAT_BYTE;
    int link = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(link >= 0, "no vsock: %s", strerror(errno));
    setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(connect(link, (struct sockaddr *)&parent, sizeof parent) == 0, "no parent on vsock port %d: %s",
            HEARTBEAT_PORT, strerror(errno));
    REQUIRE(write(link, &byte, 1) == 1 && read(link, &byte, 1) == 1 && byte == HEARTBEAT_BYTE,
            "heartbeat: expected the byte 0x%02x back", HEARTBEAT_BYTE);
    close(link);
    say("the parent has answered the heartbeat");
}

static void enter_root(void)
{
    REQUIRE(mount("/rootfs", "/rootfs", NULL, MS_BIND, NULL) == 0 && chdir("/rootfs") == 0 &&
                mount(".", "/", NULL, MS_MOVE, NULL) == 0 && chroot(".") == 0 && chdir("/") == 0,
            "cannot enter /rootfs: %s", strerror(errno));
    mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("proc", "/proc", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("sysfs", "/sys", MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("tmpfs", "/run", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=0755");
    mount_at("tmpfs", "/tmp", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=1777");
    mount_at("tmpfs", "/dev/shm", MS_NODEV | MS_NOSUID | MS_NOEXEC, "mode=1777");
}

/* Start the application and give its status when it has ended; orphans are reaped on the way. */
static int run(char *command[], char *environment[])
{
    int status = 0;
    pid_t child = fork(), ended;
    REQUIRE(child >= 0, "cannot fork: %s", strerror(errno));
    if (child == 0) {
        setsid();
        execvpe(command[0], command, environment);
        say("cannot start %s: %s", command[0], strerror(errno));
        _exit(127);
    }
    while ((ended = wait(&status)) != child)
        REQUIRE(ended >= 0 || errno == EINTR, "cannot wait for the application: %s", strerror(errno));
    return status;
}

int main(void)
{
    static char *command[MAX_LINES + 1], *environment[MAX_LINES + 1];
    REQUIRE(getpid() == 1, "this is the first process of a machine, and runs nowhere else");
    mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, NULL);
    open_console();
    load_modules();
    beat();
    REQUIRE(read_lines("/cmd", command) > 0, "/cmd: expected a command, got none");
    read_lines("/env", environment);
    unlink("/cmd");
    unlink("/env");
    setenv("PATH", SEARCHED, 1);
    enter_root();
    int status = run(command, environment);
    if (WIFSIGNALED(status))
        say("the application was ended by signal %d", WTERMSIG(status));
    else
        say("the application ended with exit code %d", WEXITSTATUS(status));
    end_machine();
}
