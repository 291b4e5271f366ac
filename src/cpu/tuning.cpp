#include "cpu/tuning.h"

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace norma::cpu {
namespace {

// Is the page that holds this byte mapped? A microsecond a call.
bool page_is_mapped([[maybe_unused]] const char* byte) {
#if defined(__linux__)
  static const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  unsigned char resident = 0;
  void* const start = const_cast<char*>(byte - reinterpret_cast<std::uintptr_t>(byte) % page);
  return mincore(start, page, &resident) != 0 || (resident & 1) != 0;
#else
  return true;
#endif
}

}  // namespace

bool stream_output(const void* output, std::int64_t tensors, std::int64_t bytes) {
  if (!beyond_caches(tensors * bytes)) return false;
  const char* first = static_cast<const char*>(output);
  return page_is_mapped(first + bytes / 4) && page_is_mapped(first + bytes / 4 * 3);
}

}  // namespace norma::cpu
