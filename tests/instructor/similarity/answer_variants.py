"""Answers of honest students to 02-mnist: solutions, names, mistakes, comments and sentences.

`$a` is a name from `NAMES`; of `<one|other>` a student always makes the same choice.
"""

NAMES = {
    "a": ["scaled", "images", "x", "result", "normalized", "out", "imgs", "float_images", "data",
          "X", "prepared", "arr", "new_images", "img"],
    "b": ["model", "network", "cnn", "net", "m", "classifier", "my_model", "nn"],
    "c": ["matrix", "counts", "cm", "table", "result", "mat", "conf", "confusion", "C", "M", "res"],
    "t": ["t", "true", "i", "y", "label", "row", "actual", "real", "true_label"],
    "p": ["p", "predicted", "j", "pred", "y_hat", "column", "guess", "said", "predicted_label"],
    "i": ["i", "k", "idx", "n", "index", "row", "j", "num"],
    "e": ["powers", "exps", "e", "exp_scores", "exponentials", "z", "num", "numerator", "exp"],
    "s": ["shifted", "s", "x", "z", "scaled", "safe", "scores_shifted", "stable"],
    "x": ["x", "x", "x", "y", "out", "h", "features"],
}  # fmt: skip

LAYERS = [
    "layers.Conv2D(32, <3|(3, 3)|kernel_size=3|kernel_size=(3, 3)>, activation=<'relu'|\"relu\">)",
    "layers.Conv2D(64, <3|(3, 3)|kernel_size=3|kernel_size=(3, 3)>, activation=<'relu'|\"relu\">)",
    "layers.MaxPooling2D(<2|(2, 2)|pool_size=2|pool_size=(2, 2)|>)",
    "layers.Dropout(<0.25|.25|rate=0.25>)",
    "layers.Flatten()",
    "layers.Dense(<128|units=128>, activation=<'relu'|\"relu\">)",
    "layers.Dropout(<0.5|.5|rate=0.5>)",
    "layers.Dense(<10|num_classes|10>, activation='softmax')",
]
INPUT = "keras.Input(<shape=|>(28, 28, 1))"

SOLUTIONS = {
    "prepare_images": [
        "$a = images.astype(<'float32'|np.float32|\"float32\">) / <255|255.0|255.>\n"
        "return $a[..., <np.newaxis|None>]",
        "$a = images / 255<|.0>\n$a = $a.astype(<'float32'|np.float32>)\n"
        "return np.expand_dims($a, <-1|axis=-1|axis=3|3>)",
        "return <np.expand_dims(images, -1)|images[..., np.newaxis]>.astype('float32') / 255<|.0>",
        "$a = images.reshape(<-1|len(images)|images.shape[0]>, 28, 28, 1)\n"
        "return $a.astype(<'float32'|np.float32>) / 255<|.0>",
        "$a = images.astype('float32')\n$a <= $a / 255|/= 255|/= 255.0>\n"
        "$a = $a.reshape(<-1|$a.shape[0]|len($a)>, 28, 28, 1)\nreturn $a",
    ],
    "build_model": [
        "return keras.Sequential([\n    LAYERS,\n])",
        "$b = keras.Sequential([\n    LAYERS,\n])\nreturn $b",
        "$b = keras.Sequential()\n$b.add(LAYERS)\nreturn $b",
        "inputs = keras.Input(<shape=|>(28, 28, 1))\n$x = LAYERS(inputs)\n"
        "return keras.Model(inputs, $x)",
    ],
    "summary_answers": [
        "from_summary = {\n    'dense_first': <1_179_776|1179776>,\n"
        "    'shape_before_flatten': (12, 12, 64),\n}\n"
        "without_pooling = <4_718_720|4718720>",
        "from_summary = {\n"
        "    'dense_first': <12 * 12 * 64 * 128 + 128|(9216 + 1) * 128|9216 * 128 + 128>,\n"
        "    'shape_before_flatten': (12, 12, 64),\n}\n"
        "without_pooling = <24 * 24 * 64 * 128 + 128|36864 * 128 + 128|4_718_720>",
        "from_summary = dict(dense_first=<1179776|1_179_776>, shape_before_flatten=(12, 12, 64))\n"
        "without_pooling = <4718720|4_718_592 + 128>",
    ],
    "softmax": [
        "$e = np.exp(scores - <np.max(scores)|scores.max()|max(scores)>)\n"
        "return $e / <np.sum($e)|$e.sum()>",
        "$s = scores - <np.max(scores)|scores.max()>\n"
        "return np.exp($s) / <np.sum(np.exp($s))|np.exp($s).sum()>",
        "largest = <np.max(scores)|scores.max()>\n$e = np.exp(scores - largest)\n"
        "total = <np.sum($e)|$e.sum()|sum($e)>\nreturn $e / total",
        "$s = np.asarray(scores<|, dtype=float>)\n$e = np.exp($s - <$s.max()|np.max($s)>)\n"
        "return $e / <$e.sum()|np.sum($e)>",
    ],
    "first_loss": [
        "expected_first_loss = -np.log(1 / 10)",
        "expected_first_loss = np.log(10)",
        "expected_first_loss = -np.log(0.1)",
        "expected_first_loss = <2.3026|2.303|2.302585|2.3>",
        "expected_first_loss = np.log(num_classes)",
        "expected_first_loss = -np.log(1 / num_classes)",
    ],
    "diagnosis": [
        "diagnosis = {'A': 'softmax', 'B': 'learning rate', 'C': 'inputs'}",
        "diagnosis = {\n    'A': 'softmax',\n    'B': 'learning rate',\n    'C': 'inputs',\n}",
        "diagnosis = dict(A='softmax', B='learning rate', C='inputs')",
    ],
    "confusion_matrix": [
        "$c = np.zeros((num_classes, num_classes)<|, dtype=int|, int>)\n"
        "for $t, $p in zip(true_labels, predicted_labels<|, strict=True>):\n"
        "    $c[$t, $p] += 1\nreturn $c",
        "$c = np.zeros((num_classes, num_classes), <dtype=|>int)\n"
        "for $i in range(len(true_labels)):\n"
        "    $c[true_labels[$i]<, |][>predicted_labels[$i]] += 1\nreturn $c",
        "$c = np.zeros((num_classes, num_classes), dtype=<int|np.int64>)\n"
        "np.add.at($c, (true_labels, predicted_labels), 1)\nreturn $c",
        "$c = []\nfor $t in range(num_classes):\n    row = []\n    for $p in range(num_classes):\n"
        "        row.append(np.sum((true_labels == $t) & (predicted_labels == $p)))\n"
        "    $c.append(row)\nreturn np.array($c)",
        "$c = np.zeros((num_classes, num_classes), dtype=int)\nfor $t in range(num_classes):\n"
        "    for $p in range(num_classes):\n        $c[$t, $p] = np.sum(<(true_labels == $t) &"
        " (predicted_labels == $p)|np.logical_and(true_labels == $t, predicted_labels == $p)>)\n"
        "return $c",
    ],
}  # fmt: skip

# The fraction of the class that makes a mistake, the cell, the correct text, the mistake.
MISTAKES = [
    (0.1, "build_model", "rate=0.25", "rate=0.5"),
    (0.12, "build_model", ", activation='relu'", ""),
    (0.15, "summary_answers", "1_179_776", "1_179_648"),
    (0.08, "summary_answers", "(12, 12, 64)", "(24, 24, 64)"),
    (0.08, "summary_answers", "4718720", "4718592"),
    (0.1, "softmax", "scores - largest", "scores"),
    (0.1, "first_loss", "-np.log", "np.log"),
    (0.1, "diagnosis", "'softmax'", "'weights'"),
    (0.1, "diagnosis", "'inputs'", "'learning rate'"),
    (0.1, "confusion_matrix", "$t, $p]", "$p, $t]"),
    (0.08, "prepare_images", ".astype('float32')", ""),
]

COMMENTS = {
    "prepare_images": ["scale to 0..1", "normalize", "divide by 255", "add channel axis",
                       "add the channel dimension", "scale the pixels", "float32 first"],
    "build_model": ["the CNN", "convolutions", "two conv layers", "classification",
                    "from the table", "layers as in the table above"],
    "confusion_matrix": ["count the pairs", "go through all pairs", "rows are true classes",
                         "count", "true = row, predicted = column", "loop over all samples"],
    "softmax": ["avoid overflow", "subtract the maximum", "stable softmax", "exponentials",
                "numerically stable", "divide by the sum"],
    "diagnosis": ["from the first and the last loss", "see the curves", "checked by repair"],
}  # fmt: skip

SENTENCES = {
    "explain_cnn": [
        ["<A|The|Each> <CNN|filter|convolution> looks at <small windows|a small patch|a few"
         " neighbouring pixels>, <so|which means that> it <finds|detects|can see> <local patterns"
         "|edges|local features|strokes>",
         "<Convolutional layers|Filters of a CNN> <work|operate> on <neighbouring|nearby> pixels,"
         " and <digits consist of|a digit is made of> <small strokes|edges and curves"
         "|local shapes>",
         "<It|The CNN> <uses|makes use of> the <fact|structure> that pixels <next to each other"
         "|close by> <belong together|are related>"],
        ["The <same filter|weights> <is used|are shared> <everywhere|at every position"
         "|over the whole image>, <so|therefore> <a shifted digit|a digit that is moved a bit> is"
         " <still|also> <recognised|found|classified correctly>",
         "<Because of weight sharing|Since weights are shared|By sharing its weights> it does not"
         " matter <where|in which corner> <the digit|a stroke> is",
         "<Moving|Shifting> the <number|digit|picture> by <one|two|a few> pixels <hardly"
         " changes|does not change much of> <the feature maps|what the filters see>,"
         " <only|just> their place"],
        ["The linear <network|model> <has|learns> one weight <for each|per> pixel and class,"
         " <so|and> it <depends on|needs> the exact <position|place>",
         "<A|The> linear <classifier|network> <only|merely> compares the <image|picture> with one"
         " <template|average digit> per class",
         "<The other one|The simple model> flattens the <image|picture> <and|which> <loses|forgets>"
         " which pixels are <neighbours|close to each other>"],
        ["<Several|More|Two> layers with <ReLU|nonlinear activations> can <combine|put together>"
         " <edges|simple features> <into|to> <shapes|more complex patterns|loops and corners>",
         "<Also|Moreover|In addition>, the <CNN|deep network> is <nonlinear|not linear>, so it can"
         " <learn|represent> <more complicated|curved> <boundaries|decisions>",
         "It <also has|has> <more layers|a deeper structure>, <each|every one> <building|based> on"
         " the <features|outputs> of the <previous|last> one"],
        ["<Pooling|Max pooling> <makes|helps to make> it <less sensitive|more robust> to <small"
         " shifts|noise|where exactly something is>",
         "<Dropout|The dropout layers> <prevents|reduce> overfitting <as well|too>",
         "That is why <its|the> <accuracy|test accuracy> is <about|around> <97|98|99|98.5> percent"
         " <instead of|and not> <90|91|92|88>"],
    ],
    "explain_confusion": [
        ["<My|The> <network|model|CNN> <most often|mostly> <confuses|mixes up> $d and $e,"
         " <namely|in total> $f times",
         "The <largest|biggest|highest> <number|entry> <off the diagonal|outside the diagonal> is"
         " at $d and $e with $f <pictures|cases|mistakes>",
         "$f <times|pictures> <a|of> $d <was|were> <called|taken for|predicted as> $e"],
        ["<They|These digits|Both> <look|are> <similar|alike> <when|if> <written|drawn>"
         " <carelessly|quickly|badly>",
         "<Looking at the pictures|In the images shown>, <I|even I> <would have guessed wrong"
         "|am not sure> <too|either|myself>",
         "<The|A> $d <with|that has> <an open|a flat|a long|no> <loop|top|stroke|tail> <looks"
         " like|can be read as|is nearly> $e",
         "The <wrong|misclassified> <ones|digits> <are|were> <slanted|thin|cut off|very thick>"],
    ],
}  # fmt: skip

# Mistakes that hardly anyone makes: the cell, patterns of the correct text, the mistake.
ODD_MISTAKES = [
    ("summary_answers", [r"4_?718_?720|36864 \* 128 \+ 128|24 \* 24 .*128 \+ 128|4_718_592 \+ 128"],
     "4_817_270"),
    ("first_loss", [r"(?<=expected_first_loss = ).*"], "-np.log10(0.9)"),
    ("build_model", [r"(?<=Dropout\()(rate=)?0?\.5(?=\))"], "0.65"),
    ("prepare_images", [r"\b255\b(\.0?)?"], "265"),
    ("confusion_matrix", [r"np.zeros\(\(num_classes, num_classes\)"],
     "np.ones((num_classes, num_classes)"),
]  # fmt: skip
