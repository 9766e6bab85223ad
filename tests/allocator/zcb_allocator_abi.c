#include "tests/allocator/zcb_allocator_abi.h"

const struct ZcbFunctions kZcbFunctionsOfC = ZCB_FUNCTIONS;
