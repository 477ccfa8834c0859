# Makes tests/models/r: models of R with R's own answers on raw.csv.
#
#     Rscript tests/models/make_r_models.R      (packages MASS, nnet and glmnet)
#
# Each model is NAME.rds, with NAME.csv: what R's predict() says of each row of raw.csv, empty where
# it says NA. Columns: score or score_CATEGORY (linear predictors), response, probability_CATEGORY,
# label. Files named refused_* hold what must be refused. Made with the versions in versions.txt.

suppressMessages({library(MASS); library(nnet); library(glmnet); library(splines)})
here <- sub("--file=", "", grep("--file=", commandArgs(FALSE), value = TRUE))
setwd(file.path(dirname(here), "r"))
RNGversion("4.2.0")
set.seed(17)

make_rows <- function(n) {
  region <- sample(c("East", "North", "South", "West: far, `old`"), n, TRUE)
  smoker <- runif(n) < 0.4
  age <- round(runif(n, 18, 75), 1)
  income <- round(exp(rnorm(n, 10, 0.7)), 2)
  children <- rpois(n, 1.2)
  grade <- sample(c("low", "mid", "high"), n, TRUE)
  group <- sample(1:3, n, TRUE)
  eta <- -2 + age / 30 + smoker - 0.8 * (region == "North") + 0.3 * (grade == "high")
  data.frame(
    region, smoker, age, income, children, grade, group,
    charges = round(100 * exp(eta / 3 + rnorm(n, 0, 0.3)), 2),
    claims = rpois(n, exp(eta / 2)),
    bad = ifelse(runif(n) < plogis(eta), "yes", "no"),
    kind = sample(c("a", "b b", "c"), n, TRUE, c(0.5, 0.3, 0.2)),
    hits = rbinom(n, 5, plogis(eta)), "net worth" = round(rnorm(n, 5e4, 2e4)),
    check.names = FALSE)
}

frame <- make_rows(90)
frame$grade <- factor(frame$grade, c("low", "mid", "high"), ordered = TRUE)
frame$bad <- factor(frame$bad)
frame$kind <- factor(frame$kind, c("b b", "a", "c"))
frame$misses <- 5 - frame$hits

raw <- make_rows(30)[c("region", "smoker", "age", "income", "children", "grade", "group", "net worth")]
raw$age[3] <- NA
raw$income[7] <- NA
raw$region[9] <- NA
raw$smoker[12] <- NA
raw <- cbind(id = sprintf("r%02d", 1:30), raw)
write.csv(raw, "raw.csv", row.names = FALSE, na = "", quote = c(1, 2, 7))
raw <- read.csv("raw.csv", check.names = FALSE, na.strings = "")

keep <- function(name, model, answers, ...) {
  saveRDS(model, paste0(name, ".rds"), compress = "xz", ...)
  answers <- as.data.frame(answers, check.names = FALSE, optional = TRUE)
  for (i in seq_along(answers)) if (is.numeric(answers[[i]]))
    answers[[i]] <- ifelse(is.na(answers[[i]]), "", sprintf("%.17g", answers[[i]]))
  write.csv(cbind(id = raw$id, answers), paste0(name, ".csv"), row.names = FALSE, na = "")
}
refuse <- function(name, model) saveRDS(model, paste0("refused_", name, ".rds"), compress = "xz")
forget <- function(model, kept = "") {  # the training data, which R keeps in a model
  attr(model$terms, ".Environment") <- globalenv()
  for (part in setdiff(c("residuals", "effects", "fitted.values", "qr", "linear.predictors", "weights",
                 "prior.weights", "y", "data", "R", "wresid", "conv", "w", "model"), kept))
    model[[part]] <- NULL
  model
}
linear <- function(name, formula, ...) {
  model <- lm(formula, frame, ...)
  keep(name, forget(model), list(score = unname(predict(model, raw))))
}
general <- function(name, formula, family, extra = list(), kept = "") {
  model <- suppressWarnings(do.call(glm, c(list(formula, family, quote(frame)), extra)))
  keep(name, forget(model, kept), list(
    score = unname(predict(model, raw)), response = unname(predict(model, raw, type = "response"))))
}
named <- function(prefix, matrix) {
  colnames(matrix) <- paste0(prefix, colnames(matrix))
  rownames(matrix) <- NULL
  matrix
}

# Linear models: what a formula may say.
linear("lm_numbers", charges ~ age + income)
linear("lm_text", charges ~ region + age)
linear("lm_logical", charges ~ smoker + age + children)
linear("lm_sum", charges ~ region + smoker, contrasts = list(region = "contr.sum"))
linear("lm_helmert", charges ~ region * age, contrasts = list(region = "contr.helmert"))
linear("lm_sas", charges ~ region + grade, contrasts = list(region = "contr.SAS", grade = contr.sum))
linear("lm_matrix", charges ~ region + age, contrasts = list(
  region = matrix(c(-1, 1, 0, 0, 0, 0, -0.5, 0.5), 4, dimnames = list(NULL, c("first", "second")))))
linear("lm_ordered", charges ~ grade + age)
linear("lm_interactions", charges ~ age * region + smoker:children + grade:smoker)
linear("lm_cells", charges ~ region:grade + age)
linear("lm_no_intercept", charges ~ 0 + region + smoker + age)
linear("lm_no_intercept_logical", charges ~ smoker + region - 1)
linear("lm_nested", charges ~ smoker / age + region %in% grade)
linear("lm_powers", charges ~ age + I(age^2) + I((age - 40)^3 / 1000) + I(1 / income) + I(age * children))
linear("lm_functions", charges ~ log(income) + sqrt(age) + log10(income) + log1p(children) +
  exp(children) + abs(`net worth`) + log(income, 2) + I(income^0.5) + log(children + 1))
linear("lm_raw_poly", charges ~ poly(age, 2, raw = TRUE) * smoker)
linear("lm_poly", charges ~ poly(age, 3) + poly(income, degree = 2):region)
linear("lm_scale", charges ~ scale(age) + scale(income, scale = FALSE) + scale(children):smoker)
linear("lm_offset", charges ~ age + offset(log(income)) + offset(children / 2))
linear("lm_aliased", charges ~ age + I(2 * age) + region)
linear("lm_factor", charges ~ factor(group) * age + as.factor(children > 0))
linear("lm_number_and_text", charges ~ group + factor(group))
linear("lm_tests", charges ~ I(age > 40) + (income <= 30000) + I((age > 30 & age <= 50) * income) +
  (region == "North") + I(!smoker) + ifelse(age >= 65, 1, 0) + I(grade %in% c("low", "mid")))
linear("lm_cut", charges ~ cut(age, c(-Inf, 30, 50, Inf)) * smoker +
  cut(income, breaks = c(-Inf, 20000, Inf), right = FALSE, labels = c("poor", "rich")))
linear("lm_log_response", log(charges) ~ region + log(income))
linear("lm_relevel", charges ~ relevel(factor(region), ref = "North") + C(factor(grade), sum))
linear("lm_matrix_column", charges ~ cbind(age, income) + poly(children, 1))
linear("lm_backticks", charges ~ `net worth` * region + I(`net worth`^2))
linear("lm_mean", charges ~ 1)
many <- lm(cbind(charges, claims) ~ region + age, frame)
keep("lm_many", many, named("score_", predict(many, raw)))
robust <- suppressWarnings(rlm(charges ~ region + age, frame))
keep("rlm", forget(robust), list(score = unname(predict(robust, raw))))
variance <- aov(charges ~ region + age, frame)
keep("aov", forget(variance), list(score = unname(predict(variance, raw))))
stepped <- step(lm(charges ~ region + age + income + children + smoker, frame), trace = 0)
keep("lm_step", stepped, list(score = unname(predict(stepped, raw))))

# Generalized linear models: families and links.
general("glm_logit", bad ~ region + age + smoker, binomial, kept = "model")
general("glm_logit_forgotten", bad ~ region + age * smoker, binomial)
general("glm_logit_logical", I(bad == "yes") ~ region + age, binomial, kept = "model")
general("glm_logit_number", as.integer(bad == "yes") ~ grade + age, binomial)
general("glm_logit_counts", cbind(hits, misses) ~ smoker + log(income), binomial, kept = "model")
general("glm_probit", bad ~ region + age, binomial("probit"), kept = "model")
general("glm_cloglog", bad ~ region + age, binomial("cloglog"), kept = "model")
general("glm_cauchit", bad ~ smoker + age, binomial("cauchit"), kept = "model")
general("glm_binomial_log", hits / 5 ~ smoker, binomial("log"),
  list(weights = rep(5, 90), start = c(-2, 0)))
general("glm_quasibinomial", hits / 5 ~ smoker + age, quasibinomial, list(weights = rep(5, 90)))
general("glm_poisson", claims ~ region + age + offset(log(income / 1000)), poisson)
general("glm_poisson_offset", claims ~ smoker + poly(age, 2), poisson, list(offset = quote(log(income))))
general("glm_poisson_identity", claims ~ age, poisson("identity"), list(start = c(1, 0)))
general("glm_poisson_sqrt", claims ~ age + smoker, poisson("sqrt"))
general("glm_quasipoisson", claims ~ grade * smoker, quasipoisson)
general("glm_gamma", charges ~ region + age, Gamma)
general("glm_gamma_log", charges ~ region + age, Gamma("log"))
general("glm_inverse_gaussian", charges ~ smoker + age, inverse.gaussian, list(start = c(1e-4, 0, 0)))
general("glm_gaussian", charges ~ region + age, gaussian)
negative <- suppressWarnings(glm.nb(claims ~ smoker + age, frame))
keep("glm_nb", forget(negative), list(
  score = unname(predict(negative, raw)), response = unname(predict(negative, raw, type = "response"))))

# Penalised models: a path of them, of which one is named; columns are those of the matrix.
columns <- c("age", "income", "children", "net worth")
x <- as.matrix(frame[columns])
new <- as.matrix(raw[columns])
pen <- function(name, y, family, s, cv = FALSE, ...) {
  model <- if (cv) cv.glmnet(x, y, family = family, nfolds = 5, nlambda = 30, ...)
           else glmnet(x, y, family = family, nlambda = 30, ...)
  answers <- function(type) {
    a <- predict(model, new, s = s, type = type)
    if (length(dim(a)) == 3) a <- a[, , 1]
    if (ncol(a) == 1) unname(a[, 1]) else a
  }
  score <- answers("link")
  response <- answers("response")
  many <- is.matrix(score)
  table <- if (many) data.frame(named("score_", score), named(
      if (family == "multinomial") "probability_" else "response_", response), check.names = FALSE)
    else data.frame(score, response)
  if (family %in% c("binomial", "multinomial")) {
    table$label <- answers("class")
    table$label[rowSums(is.na(new)) > 0] <- NA
  }
  model$call <- NULL
  keep(name, model, table)
}
pen("glmnet_gaussian", frame$charges, "gaussian", 3.5)
pen("glmnet_gaussian_end", frame$charges, "gaussian", 1e-9)
pen("cv_glmnet_gaussian", frame$charges, "gaussian", "lambda.1se", cv = TRUE)
pen("cv_glmnet_binomial", frame$bad, "binomial", "lambda.min", cv = TRUE)
pen("glmnet_binomial", frame$bad, "binomial", 0.01, alpha = 0.5)
pen("cv_glmnet_multinomial", frame$kind, "multinomial", "lambda.min", cv = TRUE)
pen("glmnet_multinomial_grouped", frame$kind, "multinomial", 0.02, type.multinomial = "grouped")
pen("glmnet_poisson", frame$claims, "poisson", 0.05)
pen("glmnet_many", as.matrix(frame[c("charges", "claims")]), "mgaussian", 1)
ridge <- glmnet(x, frame$claims, family = poisson(), lambda = 0.1)
keep("glmnet_family", ridge, list(score = unname(predict(ridge, new)[, 1]),
  response = unname(predict(ridge, new, type = "response")[, 1])))

# A matrix that the user made of text columns has names that --sample takes apart.
expand <- function(rows) model.matrix(~ region + smoker + age,
  model.frame(~ region + smoker + age, rows, na.action = na.pass))[, -1]
joined <- glmnet(expand(frame), frame$charges, lambda = 0.5)
keep("glmnet_joined", joined, list(score = unname(predict(joined, expand(raw))[, 1])))
unnamed <- glmnet(unname(x), frame$charges, lambda = 0.5)
keep("glmnet_unnamed", unnamed, list(score = unname(predict(unnamed, unname(new))[, 1])))

# Several categories.
several <- function(name, formula, ...) {
  model <- multinom(formula, frame, trace = FALSE, maxit = 500, ...)
  p <- predict(model, raw, type = "probs")
  p <- if (is.matrix(p)) p else cbind(1 - p, p, deparse.level = 0)
  colnames(p) <- model$lev
  label <- predict(model, raw)
  model <- forget(model)
  keep(name, model, data.frame(named("probability_", p), label, check.names = FALSE))
}
several("multinom", kind ~ region + age + smoker)
several("multinom_two", bad ~ region * smoker + poly(age, 2))
several("multinom_contrasts", kind ~ grade + scale(age) + region, contrasts = list(region = "contr.sum"))
discriminant <- function(name, ...) {
  model <- lda(...)
  p <- predict(model, if (is.null(model$terms)) as.matrix(raw[c("age", "children")]) else raw)
  keep(name, model, data.frame(named("probability_", p$posterior), label = p$class, check.names = FALSE))
}
discriminant("lda", kind ~ age + children + smoker, frame)
discriminant("lda_two", bad ~ region + age, frame)
discriminant("lda_matrix", as.matrix(frame[c("age", "children")]), frame$kind, prior = c(0.2, 0.3, 0.5))
ordinal <- polr(grade ~ region + age + smoker, frame)
p <- predict(ordinal, raw, type = "probs")
x0 <- model.matrix(~ region + age + smoker, model.frame(~ region + age + smoker, raw, na.action = na.pass))
ordinal_score <- drop(x0[, -1] %*% coef(ordinal))
keep("polr", forget(ordinal), data.frame(score = unname(ordinal_score), named("probability_", p), check.names = FALSE))

# The forms of the format.
model <- lm(charges ~ region + age, frame)
answers <- list(score = unname(predict(model, raw)))
saveRDS(model, "form_gzip.rds", version = 2)
saveRDS(forget(model), "form_bzip2.rds", compress = "bzip2")
saveRDS(forget(model), "form_text.rds", ascii = TRUE)
saveRDS(forget(model), "form_plain.rds", compress = FALSE)
write_form <- function(name, ...) {
  file <- file(name, "wb")
  serialize(forget(model), file, ...)
  close(file)
}
write_form("form_hexadecimal.rds", ascii = NA)
write_form("form_little_endian.rds", xdr = FALSE)
save(model, file = "form_workspace.RData", compress = "xz")
twice <- model
save(model, twice, file = "refused_two_variables.RData", compress = "xz")
local({
  f <- compiler::cmpfun(function(x) {
    if (x > 1) for (i in 1:10) print(quote(a + b(a + b)))
    x$a
  })
  saveRDS(list(f, 1:10, as.character(1:5), c(NA, 1, NaN, -Inf), c(NA, "é", "\n\t\\\"' "), c(TRUE, NA),
    as.raw(0:3), 1i, as.name("q"), globalenv(), new.env(), expression(a + 1), NULL, sum, stats::sd,
    quote(x[, 1]), pairlist(a = 1, 2), 1:3 + 0, sort(c(3, 1, 2)), structure(1, class = "k")),
    "form_values.rds")
})

# What must be refused.
refuse("spline", forget(lm(charges ~ ns(age, 3), frame)))
refuse("bspline", forget(lm(charges ~ bs(age), frame)))
refuse("cut", forget(lm(charges ~ cut(age, 3), frame)))
refuse("cut_ends", forget(lm(charges ~ cut(age, c(0, 40, 100)), frame)))
refuse("labels", forget(lm(charges ~ factor(group, labels = c("x", "y", "z")), frame)))
refuse("rounded", forget(lm(charges ~ round(age), frame)))
own <- function(x) x^2
refuse("own_function", forget(lm(charges ~ own(age), frame)))
refuse("own_contrasts", local({
  contr.own <- function(n, ...) stats::contr.sum(n)
  assign("contr.own", contr.own, globalenv())
  forget(lm(charges ~ region, frame, contrasts = list(region = "contr.own")))
}))
refuse("log_of_sum", forget(lm(charges ~ log(age + income), frame)))
refuse("dollar", forget(lm(frame$charges ~ frame$age)))
refuse("nls", nls(charges ~ a * age + b, frame, start = list(a = 1, b = 1)))
refuse("polr_offset", forget(polr(grade ~ smoker + offset(age / 100), frame)))
refuse("loess", loess(charges ~ age, frame))
refuse("tree_like", structure(list(a = 1), class = "rpart"))
gam <- forget(glm(charges ~ age, gaussian, frame))
class(gam) <- c("gam", "glm", "lm")
refuse("gam", gam)
refuse("glmnet_path", glmnet(x, frame$charges, nlambda = 5))
refuse("glmnet_offset", glmnet(x, frame$claims, family = "poisson", offset = frame$age / 100, nlambda = 5))
refuse("glmnet_cox", glmnet(x, cbind(time = frame$charges, status = frame$bad == "yes"), family = "cox", nlambda = 5))
refuse("glmnet_relaxed", glmnet(x, frame$charges, relax = TRUE, nlambda = 5))
refuse("list", list(first = forget(model), second = forget(model)))
refuse("number", 3)
refuse("frame", frame)
refuse("qda", qda(kind ~ age + children, frame))
refuse("kmeans", kmeans(x, 2))
versions <- c(R.version.string, vapply(c("MASS", "nnet", "glmnet"), function(p)
  paste(p, packageVersion(p)), ""))
writeLines(versions, "versions.txt")
