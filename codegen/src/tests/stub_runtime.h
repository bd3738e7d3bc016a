/* Stands in for the runtime in compile checks: the names that emitted C uses, with the runtime's types. */
#include <stdint.h>
#include <stddef.h>
#include <stdarg.h>
#include <string.h>
#include <stdio.h>
#define MAXSTRINGLEN 512
#define MAXACTION 1000
#define MAXACTION_INTERRUPTIBLE 10000
#define MAXERRORS 0
#define MAXSKIPPED 100
#define MAXMAPENTRIES 2048
#define MINSTACKSPACE 1024
#define INTERRUPTIBLE 1
#define STP_OVERLOAD
#define STP_OVERLOAD_INTERVAL 1000000000LL
#define STP_OVERLOAD_THRESHOLD 500000000LL
#define STP_BUFFER_SIZE 8192
#define PAGE_SIZE 4096UL
#define THREAD_SIZE 16384
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION(6, 12, 0)
#define UTS_RELEASE "6.12.0-test"
#define ENOMEM 12
#define EINVAL 22
#define EALREADY 114
#define likely(x) __builtin_expect (!!(x), 1)
#define unlikely(x) __builtin_expect (!!(x), 0)
#define ARRAY_SIZE(a) (sizeof (a) / sizeof ((a)[0]))
#define container_of(p, type, member) ((type *) ((char *) (p) - offsetof (type, member)))
#define clamp_t(type, v, lo, hi) ((type) (v) < (type) (lo) ? (type) (lo) : (type) (v) > (type) (hi) ? (type) (hi) : (type) (v))
#define clamp(v, lo, hi) clamp_t (int, v, lo, hi)
#define min_t(type, a, b) ((type) (a) < (type) (b) ? (type) (a) : (type) (b))
#define EMPTY_MACRO_STATEMENT(x) extern int stub_unused_##x
#define MODULE_DESCRIPTION(x) EMPTY_MACRO_STATEMENT(description)
#define MODULE_LICENSE(x) EMPTY_MACRO_STATEMENT(license)
#define MODULE_INFO(tag, x) EMPTY_MACRO_STATEMENT(tag)
#define module_param_named(name, value, type, perm) EMPTY_MACRO_STATEMENT(name)
#define module_param_string(name, value, length, perm) EMPTY_MACRO_STATEMENT(name)
typedef int64_t s64;
typedef unsigned long long cycles_t;
typedef char string_t[MAXSTRINGLEN];
typedef struct { int counter; } atomic_t;
#define ATOMIC_INIT(i) { i }
int atomic_read (const atomic_t *); void atomic_set (atomic_t *, int); void atomic_inc (atomic_t *);
int atomic_cmpxchg (atomic_t *, int, int); int pseudo_atomic_cmpxchg (atomic_t *, int, int);
cycles_t get_cycles (void); s64 ktime_get_ns (void);
void might_sleep (void); void preempt_disable (void); void preempt_enable_no_resched (void);
unsigned num_online_cpus (void); unsigned smp_processor_id (void);
struct mutex { int x; };
#define DEFINE_MUTEX(m) struct mutex m
void mutex_lock (struct mutex *); void mutex_unlock (struct mutex *);
struct thread_info { int x; }; struct pt_regs { int x; }; struct task_struct { char comm[16]; };
extern struct task_struct *current;
struct work_struct { int x; }; extern void *systemtap_wq;
int queue_work (void *, struct work_struct *); int schedule_work (struct work_struct *);
#define INIT_WORK(w, f) ((w)->x = (f) != NULL)
typedef int64_t ktime_t; typedef int hrtimer_return_t;
enum { HRTIMER_NORESTART, HRTIMER_RESTART, CLOCK_MONOTONIC, HRTIMER_MODE_REL };
struct hrtimer { hrtimer_return_t (*function) (struct hrtimer *); };
ktime_t ktime_set (long, unsigned long); ktime_t ktime_add (ktime_t, ktime_t);
ktime_t hrtimer_get_expires (struct hrtimer *); void hrtimer_set_expires (struct hrtimer *, ktime_t);
void hrtimer_init (struct hrtimer *, int, int); int hrtimer_cancel (struct hrtimer *);
void hrtimer_start (struct hrtimer *, ktime_t, int);
#define STP_HRTIMER_SETUP(t, f, clock, mode) ((t)->function = (f))
struct stap_probe;
struct stap_hrtimer_probe { struct hrtimer hrtimer; const struct stap_probe *const probe; int64_t intrv, rnd; unsigned enabled; };
void _stp_hrtimer_init (void); int _stp_hrtimer_create (struct stap_hrtimer_probe *, hrtimer_return_t (*) (struct hrtimer *));
int _stp_hrtimer_start (struct stap_hrtimer_probe *); void _stp_hrtimer_cancel (struct stap_hrtimer_probe *);
void _stp_hrtimer_delete (struct stap_hrtimer_probe *); void _stp_hrtimer_update (struct stap_hrtimer_probe *);
struct timer_list { unsigned long expires; }; typedef struct timer_list *stp_timer_callback_parameter_t;
extern unsigned long jiffies; unsigned long msecs_to_jiffies (unsigned); int _stp_random_pm (unsigned);
void mod_timer (struct timer_list *, unsigned long); void add_timer (struct timer_list *);
#define timer_setup(t, f, flags) ((t)->expires = (unsigned long) (f))
void STP_TIMER_DELETE_SYNC (struct timer_list *); void del_timer_sync (struct timer_list *);
#define dbug_otf(...) do { } while (0)
size_t strlcpy (char *, const char *, size_t); size_t strlcat (char *, const char *, size_t);
enum { STAP_SESSION_UNINITIALIZED, STAP_SESSION_STARTING, STAP_SESSION_RUNNING, STAP_SESSION_ERROR, STAP_SESSION_STOPPING, STAP_SESSION_STOPPED };
enum { stp_probe_type_been, stp_probe_type_timer, stp_probe_type_hrtimer, stp_probe_type_perf };
enum { uwcache_uninitialized };
atomic_t *session_state (void); atomic_t *error_count (void); atomic_t *skipped_count (void);
atomic_t *skipped_count_lowstack (void); atomic_t *skipped_count_reentrant (void);
atomic_t *skipped_count_uprobe_reg (void); atomic_t *skipped_count_uprobe_unreg (void);
int stp_session_init (void); void stp_session_exit (void); void stp_synchronize_sched (void);
int _stp_handle_kallsyms_lookups (void); int _stp_module_check (void);
extern int _stp_privilege_credentials; const char *privilege_to_text (int);
#define STP_PRIVILEGE_CONTAINS(a, b) (((a) & (b)) == (b))
void _stp_exit (void); void _stp_print_kernel_info (const char *, const char *, unsigned long, int);
__attribute__((format (printf, 1, 2))) void _stp_error (const char *, ...);
__attribute__((format (printf, 1, 2))) void _stp_softerror (const char *, ...);
__attribute__((format (printf, 1, 2))) void _stp_warn (const char *, ...);
__attribute__((format (printf, 1, 2))) void _stp_printf (const char *, ...);
void _stp_print (const char *); void _stp_print_char (int); void _stp_print_flush (void);
int _stp_print_trylock_irqsave (unsigned long *); void _stp_print_unlock_irqrestore (unsigned long *);
void *_stp_reserve_bytes (int); void _stp_unreserve_bytes (int);
char *number (char *, char *, uint64_t, int, int, int, int); int number_size (uint64_t, int, int, int, int);
char *_stp_vsprint_memory (char *, char *, const char *, int, int, char, int);
int _stp_vsprint_memory_size (const char *, int, int, char, int);
char *_stp_vsprint_char (char *, char *, char, int, int); int _stp_vsprint_char_size (char, int, int);
char *_stp_vsprint_binary (char *, char *, int64_t, int, int, int); int _stp_vsprint_binary_size (int64_t, int, int);
int64_t _stp_div64 (const char **, int64_t, int64_t); int64_t _stp_mod64 (const char **, int64_t, int64_t);
#define kderef(size, addr) ({ if (!(addr)) goto deref_fault; (int64_t) (addr); })
#define uderef(size, addr) kderef (size, addr)
#define assert_is_myproc() do { } while (0)
typedef struct { int x; } stp_rwlock_t;
struct stp_probe_lock { stp_rwlock_t *lock; unsigned write_p; };
int stp_lock_probe (const struct stp_probe_lock *, unsigned); void stp_unlock_probe (const struct stp_probe_lock *, unsigned);
typedef struct map_root *MAP; typedef struct pmap *PMAP; typedef struct _Stat *Stat; typedef struct _Hist *Hist;
struct map_node; struct _Hist { int buckets; }; struct map_root { struct _Hist hist; }; struct _Stat { struct _Hist hist; };
struct stat_data { int shift; int64_t count, sum, min, max, variance; int64_t histogram[]; };
enum { KEY_MAPENTRIES = 1, KEY_HIST_TYPE, KEY_STAT_WRAP, HIST_NONE, HIST_LOG, HIST_LINEAR, STAT_OP_COUNT, STAT_OP_SUM, STAT_OP_MIN, STAT_OP_MAX, STAT_OP_AVG, STAT_OP_VARIANCE };
enum { SORT_COUNT = -5, SORT_SUM, SORT_MIN, SORT_MAX, SORT_AVG };
Stat _stp_stat_init (int, ...); void _stp_stat_del (Stat); void _stp_stat_clear (Stat);
void _stp_stat_add (Stat, int64_t, int, int, int, int, int); struct stat_data *_stp_stat_get (Stat, int);
void _stp_stat_print_histogram (Hist, struct stat_data *); void _stp_stat_print_histogram_buf (char *, size_t, Hist, struct stat_data *);
void _stp_map_del (MAP); void _stp_pmap_del (PMAP); void _stp_map_clear (MAP); void _stp_pmap_clear (PMAP);
MAP _stp_pmap_get_agg (PMAP); struct map_node *_stp_map_start (MAP);
struct map_node *_stp_map_iter (MAP, struct map_node *); struct map_node *_stp_map_iterdel (MAP, struct map_node *);
