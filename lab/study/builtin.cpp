// The studies that norma carries: studies/*.toml, as they are in the tree.
#include <algorithm>
#include <array>
#include <string_view>

#include "lab/study/study.h"

#define NORMA_STUDIES(X) \
  X(quick)               \
  X(article) X(claim1) X(claim2) X(claim3) X(claim4) X(claim5) X(claim6) X(claim7) X(claim8) X(claim9) X(claim10)

namespace norma::embedded {
#define NORMA_DECLARE(name)                  \
  extern const unsigned char study_##name[]; \
  extern const std::size_t study_##name##_size;
NORMA_STUDIES(NORMA_DECLARE)
#undef NORMA_DECLARE
}  // namespace norma::embedded

namespace norma::lab {
namespace {

struct Builtin {
  std::string_view name;
  const unsigned char* text;
  const std::size_t* size;  // by address: it is set in another file
};

#define NORMA_LIST(name) Builtin{#name, embedded::study_##name, &embedded::study_##name##_size},
constexpr std::array kBuiltins{NORMA_STUDIES(NORMA_LIST)};
#undef NORMA_LIST

}  // namespace

std::vector<std::string> builtin_studies() {
  std::vector<std::string> names;
  for (const Builtin& study : kBuiltins) names.emplace_back(study.name);
  return names;
}

std::optional<StudyFile> builtin_study(const std::string& name) {
  const auto* found =
      std::find_if(kBuiltins.begin(), kBuiltins.end(), [&](const Builtin& b) { return b.name == name; });
  if (found == kBuiltins.end()) return std::nullopt;
  const std::string text(reinterpret_cast<const char*>(found->text), *found->size);
  return StudyFile{name + " (built in)", text, ""};
}

}  // namespace norma::lab
