// The house's order is a rule that a test keeps: first on the project itself, then on small trees that break it.
#include "include_rules.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

namespace norma::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A source tree in a folder of its own, removed in the end.
class MadeUpTree {
 public:
  MadeUpTree() {
    std::string name = (fs::temp_directory_path() / "norma-rules-XXXXXX").string();
    root_ = mkdtemp(name.data());
  }
  ~MadeUpTree() { fs::remove_all(root_); }
  MadeUpTree(const MadeUpTree&) = delete;
  MadeUpTree& operator=(const MadeUpTree&) = delete;

  MadeUpTree& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
    return *this;
  }
  std::vector<std::string> broken() const { return broken_rules(root_, rooms()); }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_;
};

TEST(IncludeRules, HoldInThisProject) {
  EXPECT_THAT(broken_rules(NORMA_SOURCE_DIR, rooms()), IsEmpty());
}

TEST(IncludeRules, LetNoKernelNameANorm) {
  EXPECT_THAT(named_norms(NORMA_SOURCE_DIR), IsEmpty());
  MadeUpTree tree;
  tree.file("src/cpu/rows.cpp", "int rows();\n// for LayerNorm\nvoid batch_norm();\n")
      .file("src/plan/plan.h", "// BatchNorm\n");
  EXPECT_THAT(named_norms(tree.root()), ElementsAre("src/cpu/rows.cpp:2: names a norm (LayerNorm)",
                                                    "src/cpu/rows.cpp:3: names a norm (batch_norm)"));
}

TEST(IncludeRules, KeepThePublicHeadersToTheStandardLibrary) {
  MadeUpTree tree;
  tree.file("include/norma/a.h", "#include <vector>\n#include \"norma/b.h\"\n#include <fmt/core.h>\n");
  tree.file("include/norma/b.h", "  #  include \"plan/plan.h\"\n").file("src/plan/plan.h", "#pragma once\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("include/norma/a.h:3: include may include the standard library"),
                                         HasSubstr("include/norma/b.h:1: include may not include src/plan")));
}

TEST(IncludeRules, KeepTheDoorForCAndTheExamplesToThePublicHeaders) {
  MadeUpTree tree;
  tree.file("include/norma/c_api.h", "#include <stddef.h>\n#include <stdint.h>\n").file("src/plan/plan.h", "");
  tree.file("src/c_api/c_api.cpp", "#include \"norma/c_api.h\"\n#include \"plan/plan.h\"\n");
  tree.file("examples/engine.c", "#include <norma/c_api.h>\n#include \"plan/plan.h\"\n#include <stdio.h>\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("examples may not include src/plan"),
                                         HasSubstr("src/c_api may not include src/plan")));
}

TEST(IncludeRules, KeepThePlanFromTheKernels) {
  MadeUpTree tree;
  tree.file("src/cpu/rows.h", "#include \"plan/plan.h\"\n#include <hwy/highway.h>\n");
  tree.file("src/plan/plan.h", "#include \"../cpu/rows.h\"\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("src/plan may not include src/cpu")));
}

TEST(IncludeRules, KeepTheOracleAndTheKernelsApart) {
  MadeUpTree tree;
  tree.file("src/cpu/rows.h", "#include \"reference/reference.h\"\n");
  tree.file("reference/reference.h", "#include \"src/cpu/rows.h\"\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("reference may not include src/cpu"),
                                         HasSubstr("src/cpu may not include reference")));
}

TEST(IncludeRules, KeepTorchOutOfTheCommandAndTheReport) {
  MadeUpTree tree;
  tree.file("torch/operators.h", "#include <torch/torch.h>\n#include <norma/norma.h>\n");
  tree.file("cli/study.cpp", "#include \"torch/operators.h\"\n#include <CLI/CLI.hpp>\n");
  tree.file("report/page.cpp", "#include <ATen/ATen.h>\n");
  tree.file("lab/store/store.cpp", "#include <c10/util/Optional.h>\n#include <sqlite3.h>\n");
  tree.file("lab/training/train.cpp", "#include <torch/torch.h>\n#include \"torch/operators.h\"\n");
  EXPECT_THAT(tree.broken(),
              ElementsAre(HasSubstr("cli may not include torch (torch/operators.h)"),
                          HasSubstr("lab may not include libtorch"), HasSubstr("report may not include libtorch")));
}

TEST(IncludeRules, FollowIncludesToTorch) {
  MadeUpTree tree;
  tree.file("lab/models/arm_list.h", "#include <span>\n").file("lab/models/cnn.h", "#include \"layers.h\"\n");
  tree.file("lab/models/layers.h", "#include <torch/nn.h>\n#include \"cnn.h\"\n");
  tree.file("cli/study.cpp", "#include \"lab/models/arm_list.h\"\n#include \"lab/models/cnn.h\"\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("cli/study.cpp:2: cli may not reach libtorch")));
}

TEST(IncludeRules, KeepTheLabToThePublicHeaders) {
  MadeUpTree tree;
  tree.file("src/plan/plan.h", "").file("lab/models/cnn.cpp", "#include \"plan/plan.h\"\n");
  EXPECT_THAT(tree.broken(), ElementsAre(HasSubstr("lab/models may not include src/plan")));
}

TEST(IncludeRules, AskEveryFileForARoom) {
  MadeUpTree tree;
  tree.file("src/extra/new.cpp", "#include <vector>\n");
  EXPECT_THAT(tree.broken(), ElementsAre("src/extra/new.cpp: is in no room"));
}

}  // namespace
}  // namespace norma::testing
