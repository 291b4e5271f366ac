// Everything the library offers, in one include.
#pragma once

#include "norma/descriptor.h"
#include "norma/error.h"
#include "norma/fold.h"
#include "norma/fusion.h"
#include "norma/machine.h"
#include "norma/ops.h"
#include "norma/short_floats.h"
#include "norma/tensor.h"
#include "norma/threads.h"
#include "norma/workspace.h"
