/* Names, numbers and layouts of a <corosync/cpg.h>, as numbers. */
#ifndef ZCB_TESTS_CPG_ABI_FACTS_H_
#define ZCB_TESTS_CPG_ABI_FACTS_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct AbiFact {
  const char* name;
  long long value;
};

/* Of our headers, and of those under /usr/include; count 0: there are none. */
const struct AbiFact* OurAbiFacts(size_t* count);
const struct AbiFact* TheirAbiFacts(size_t* count);

#ifdef __cplusplus
}
#endif

#endif /* ZCB_TESTS_CPG_ABI_FACTS_H_ */
