def test_a(fitted):
    print(fitted.answer.err, fitted.answer.code)
def test_b(planned):
    print(planned.answer.err, planned.answer.code)
def test_c(unconverged):
    print(unconverged.answer.err, unconverged.answer.code)
