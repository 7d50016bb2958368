#include <bcc/bpf.h>
